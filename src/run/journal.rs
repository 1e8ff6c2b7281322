use super::event::MetricPoint;
use crate::experiment::Result;
pub struct Journal;
impl Journal {
    pub fn open(_: &std::path::Path) -> Result<Self> {
        Ok(Self)
    }
    pub fn append(&mut self, _: &[MetricPoint]) -> Result<()> {
        Ok(())
    }
}
