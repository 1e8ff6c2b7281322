//! The classroom: lessons beside the program, packs that a teacher prepares, work that students hand in.
//!
//! | part | what |
//! |---|---|
//! | `lesson` | what a lesson is, and those inside the program (`assets/lessons`) |
//! | `scene` | positions of the window: a lesson's buttons bring them about, its ticks look for them, a pack starts in one |
//! | `course` | a lesson that is being taken: where it stands, what was guessed and reached |
//! | `pack` | one text file: lesson, experiment, question, and what is left out of the window |
//! | `fields` | the single settings of the Lab that a pack can leave out |
//! | `hand_in` | one text file for what a student did; a table of many |
//! | `classroom` | all of this as part of the window's state |

mod class_file;
mod classroom;
mod course;
mod fields;
mod hand_in;
mod lesson;
mod pack;
mod scene;

pub use class_file::{ClassFile, SCHEMA, holds_hand_ins, read_hand_ins};
pub use classroom::{Classroom, LessonChange, Tab};
pub use course::{Course, LessonMemory};
pub use fields::{DEFENSES, FieldChoice, FieldGroup, field_groups};
pub use hand_in::{GuessMade, HandIn, HandInColumn, HandIns, Outcome};
pub use lesson::{Deed, Guess, Lesson, Step, embedded};
pub use pack::{Pack, Prepare};
pub use scene::{RunScene, Scene, Spot};
