//! Drawings as SVG, with texts that stay texts.

use super::drawing::{Anchor, Drawing, Shape, Text};
use egui::Color32;
use std::fmt::Write;

const FONTS: &str = "Atkinson Hyperlegible Next, Atkinson Hyperlegible, Verdana, sans-serif";

pub fn svg(drawing: &Drawing, title: &str) -> String {
    let (width, height) = (short(drawing.width), short(drawing.height));
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" \
         font-family=\"{FONTS}\" role=\"img\">\n<title>{}</title>\n<rect width=\"100%\" height=\"100%\" fill=\"{}\"/>\n",
        escaped(title),
        colour(drawing.ground)
    );
    for shape in &drawing.shapes {
        draw(shape, &mut out);
        out.push('\n');
    }
    out + "</svg>\n"
}

fn draw(shape: &Shape, out: &mut String) {
    // Writing into a String cannot fail.
    let _ = match shape {
        Shape::Rect { x, y, width, height, fill } => write!(
            out,
            "<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" fill=\"{}\"/>",
            short(*x),
            short(*y),
            short(*width),
            short(*height),
            colour(*fill)
        ),
        Shape::Line { points, colour: stroke, width, dash } => {
            let dash = match dash.is_empty() {
                true => String::new(),
                false => {
                    let lengths: Vec<_> = dash.iter().map(|length| short(*length)).collect();
                    format!(" stroke-dasharray=\"{}\"", lengths.join(" "))
                }
            };
            write!(
                out,
                "<polyline points=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"{}\" stroke-linejoin=\"round\"{dash}/>",
                list(points),
                colour(*stroke),
                short(*width)
            )
        }
        Shape::Polygon { points, fill } => {
            write!(out, "<polygon points=\"{}\" fill=\"{}\"/>", list(points), colour(*fill))
        }
        Shape::Circle { center: [x, y], radius, fill } => write!(
            out,
            "<circle cx=\"{}\" cy=\"{}\" r=\"{}\" fill=\"{}\"/>",
            short(*x),
            short(*y),
            short(*radius),
            colour(*fill)
        ),
        Shape::Text(text) => write!(out, "{}", text_element(text)),
    };
}

fn text_element(text: &Text) -> String {
    let (x, y) = (short(text.x), short(text.y));
    let anchor = match text.anchor {
        Anchor::Start => "start",
        Anchor::Middle => "middle",
        Anchor::End => "end",
    };
    let weight = if text.strong { " font-weight=\"600\"" } else { "" };
    let turn = if text.upwards { format!(" transform=\"rotate(-90 {x} {y})\"") } else { String::new() };
    format!(
        "<text x=\"{x}\" y=\"{y}\" font-size=\"{}\" text-anchor=\"{anchor}\" fill=\"{}\"{weight}{turn}>{}</text>",
        short(text.size),
        colour(text.colour),
        escaped(&text.text)
    )
}

fn list(points: &[[f32; 2]]) -> String {
    let pairs: Vec<_> = points.iter().map(|[x, y]| format!("{},{}", short(*x), short(*y))).collect();
    pairs.join(" ")
}

/// Hundredths of a point are finer than any printer.
fn short(length: f32) -> String {
    let text = format!("{length:.2}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

fn colour(colour: Color32) -> String {
    format!("#{:02x}{:02x}{:02x}", colour.r(), colour.g(), colour.b())
}

fn escaped(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;");
    // XML has no place for most control characters.
    text.replace(|letter: char| letter.is_control() && letter != '\n', " ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::theme::{Look, Tokens};

    #[test]
    fn shapes_and_texts_are_written_so_that_nothing_breaks_out() {
        let t = Tokens::of(Look::Light);
        let text = Text {
            x: 10.0,
            y: 20.126,
            size: 14.0,
            anchor: Anchor::Middle,
            colour: t.text,
            strong: true,
            upwards: true,
            text: "<ACC> & \"ASR\"\u{1}".into(),
        };
        let line =
            Shape::Line { points: vec![[0.0, -0.001], [1.5, 2.0]], colour: t.clean, width: 2.0, dash: vec![9.0, 4.5] };
        let drawing = Drawing { width: 100.0, height: 50.0, ground: t.card, shapes: vec![line, Shape::Text(text)] };
        let svg = svg(&drawing, "a < b");
        assert!(svg.contains("<title>a &lt; b</title>"));
        assert!(svg.contains("points=\"0,0 1.5,2\"") && svg.contains("stroke-dasharray=\"9 4.5\""));
        assert!(svg.contains("rotate(-90 10 20.13)") && svg.contains("font-weight=\"600\""));
        assert!(svg.contains(">&lt;ACC&gt; &amp; &quot;ASR&quot; </text>"), "{svg}");
        assert_eq!(svg.matches('<').count(), svg.matches('>').count());
    }
}
