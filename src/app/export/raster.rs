//! Drawings as pixels.

use super::drawing::{Anchor, Drawing, Shape, Text};
use super::font::outline;
use crate::run::event::Rgba;
use crate::run::report::letters::Letters;
use egui::Color32;
use vello_cpu::kurbo::{Affine, BezPath, Circle, Rect, Shape as _, Stroke};
use vello_cpu::peniko::Color;
use vello_cpu::{Pixmap, RenderContext, Resources};

/// The drawing with `scale` pixels to the point, opaque.
pub fn raster(drawing: &Drawing, scale: f32) -> Rgba {
    let pixels = |length: f32| (length * scale).round().clamp(1.0, f32::from(u16::MAX)) as u16;
    let (width, height) = (pixels(drawing.width), pixels(drawing.height));
    let mut context = RenderContext::new(width, height);
    let scaled = Affine::scale(f64::from(scale));
    context.set_transform(scaled);
    context.set_paint(paint(drawing.ground));
    context.fill_rect(&Rect::new(0.0, 0.0, f64::from(drawing.width) + 1.0, f64::from(drawing.height) + 1.0));
    let letters = [Letters::new(false), Letters::new(true)];
    for shape in &drawing.shapes {
        match shape {
            Shape::Rect { x, y, width, height, fill } => {
                let [x0, y0, x1, y1] = [*x, *y, x + width, y + height].map(f64::from);
                context.set_paint(paint(*fill));
                context.fill_rect(&Rect::new(x0, y0, x1, y1));
            }
            Shape::Line { points, colour, width, dash } => {
                context.set_paint(paint(*colour));
                context
                    .set_stroke(Stroke::new(f64::from(*width)).with_dashes(0.0, dash.iter().copied().map(f64::from)));
                context.stroke_path(&path(points));
            }
            Shape::Polygon { points, fill } => {
                let mut path = path(points);
                path.close_path();
                context.set_paint(paint(*fill));
                context.fill_path(&path);
            }
            Shape::Circle { center: [x, y], radius, fill } => {
                context.set_paint(paint(*fill));
                context.fill_path(&Circle::new((f64::from(*x), f64::from(*y)), f64::from(*radius)).to_path(0.05));
            }
            Shape::Text(text) => {
                context.set_paint(paint(text.colour));
                context.set_transform(scaled * placed(text, &letters[usize::from(text.strong)]));
                context.fill_path(&outline(&letters[usize::from(text.strong)], &text.text, text.size));
                context.set_transform(scaled);
            }
        }
    }
    let mut pixmap = Pixmap::new(width, height);
    context.flush();
    context.render(&mut pixmap, &mut Resources::new());
    // Everything lies on an opaque ground, so nothing is left to multiply.
    Rgba { width: width.into(), height: height.into(), bytes: pixmap.data_as_u8_slice().to_vec() }
}

/// From the origin of a text to its place.
fn placed(text: &Text, letters: &Letters) -> Affine {
    let width = letters.width(&text.text, text.size);
    let back = match text.anchor {
        Anchor::Start => 0.0,
        Anchor::Middle => width / 2.0,
        Anchor::End => width,
    };
    let turn = if text.upwards { Affine::rotate(-std::f64::consts::FRAC_PI_2) } else { Affine::IDENTITY };
    Affine::translate((f64::from(text.x), f64::from(text.y))) * turn * Affine::translate((-f64::from(back), 0.0))
}

fn path(points: &[[f32; 2]]) -> BezPath {
    let mut path = BezPath::new();
    for (at, [x, y]) in points.iter().enumerate() {
        let point = (f64::from(*x), f64::from(*y));
        if at == 0 { path.move_to(point) } else { path.line_to(point) }
    }
    path
}

fn paint(colour: Color32) -> Color {
    Color::from_rgb8(colour.r(), colour.g(), colour.b())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::theme::{Look, Tokens};

    #[test]
    fn shapes_are_where_the_drawing_says() {
        let t = Tokens::of(Look::Light);
        let square = Shape::Rect { x: 2.0, y: 1.0, width: 4.0, height: 4.0, fill: t.clean };
        let text = Text {
            x: 20.0,
            y: 9.0,
            size: 10.0,
            anchor: Anchor::End,
            colour: t.text,
            strong: false,
            upwards: false,
            text: "H".into(),
        };
        let drawing = Drawing { width: 20.0, height: 10.0, ground: t.card, shapes: vec![square, Shape::Text(text)] };
        let picture = raster(&drawing, 2.0);
        assert_eq!((picture.width, picture.height), (40, 20));
        let pixel = |x: usize, y: usize| &picture.bytes[(y * 40 + x) * 4..][..4];
        assert_eq!(pixel(0, 0), [255, 255, 255, 255]);
        assert_eq!(pixel(8, 6), t.clean.to_array());
        let dark = (0..20).flat_map(|y| (24..40).map(move |x| (x, y))).filter(|&(x, y)| pixel(x, y)[0] < 100).count();
        assert!(dark > 20, "the letter is there: {dark} dark pixels");
        assert!(picture.bytes.chunks(4).all(|pixel| pixel[3] == 255));
    }
}
