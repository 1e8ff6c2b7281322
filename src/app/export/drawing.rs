//! A drawing: a few kinds of shapes on a ground, which SVG and pixels are both made from.

use egui::Color32;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Anchor {
    Start,
    Middle,
    End,
}

/// Lengths are points; y grows downwards, texts stand on their y.
#[derive(Debug, Clone, PartialEq)]
pub enum Shape {
    Rect {
        x: f32,
        y: f32,
        width: f32,
        height: f32,
        fill: Color32,
    },
    /// `dash` holds lengths that are drawn and left out in turn; empty means solid.
    Line {
        points: Vec<[f32; 2]>,
        colour: Color32,
        width: f32,
        dash: Vec<f32>,
    },
    Polygon {
        points: Vec<[f32; 2]>,
        fill: Color32,
    },
    Circle {
        center: [f32; 2],
        radius: f32,
        fill: Color32,
    },
    Text(Text),
}

#[derive(Debug, Clone, PartialEq)]
pub struct Text {
    pub x: f32,
    pub y: f32,
    pub size: f32,
    pub anchor: Anchor,
    pub colour: Color32,
    pub strong: bool,
    /// Turned by a quarter to the left, reading upwards.
    pub upwards: bool,
    pub text: String,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Drawing {
    pub width: f32,
    pub height: f32,
    pub ground: Color32,
    pub shapes: Vec<Shape>,
}
