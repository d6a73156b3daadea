//! All configurations of a finite space, one after the other.

use crate::config::Config;
use crate::space::Space;

/// Walks all configurations of a finite space in the order of their values; made by [`Space::configs`].
#[derive(Clone, Debug)]
pub struct Configs<'a> {
    space: &'a Space,
    /// Indices of the values of the next configuration; 0 for inactive parameters. `None` after the last one.
    next: Option<Vec<u64>>,
}

impl Space {
    /// All different configurations, or `None` if a parameter is an interval of real numbers.
    ///
    /// ```
    /// use kaizen_space::{Param, Space};
    /// let space = Space::new(vec![Param::flag("a"), Param::int("b", 1, 5).only_if("a", ["true"])])?;
    /// assert_eq!(space.configs().map(Iterator::count), Some(6));
    /// # Ok::<(), kaizen_space::SpaceError>(())
    /// ```
    pub fn configs(&self) -> Option<Configs<'_>> {
        let finite = self.params().iter().all(|param| param.domain().value_count().is_some());
        finite.then(|| Configs { space: self, next: Some(vec![0; self.len()]) })
    }
}

impl Iterator for Configs<'_> {
    type Item = Config;

    fn next(&mut self) -> Option<Config> {
        let mut indices = self.next.take()?;
        let config = self.space.config_by(|index, param| param.domain().value_at(indices[index]));
        // Counts up the last active parameter that has a next value; those behind it start again from their first.
        let advanced = self.space.params().iter().enumerate().rev().find(|(index, param)| {
            config.contains(param.name())
                && param.domain().value_count().is_some_and(|count| indices[*index] + 1 < count)
        });
        if let Some((place, _)) = advanced {
            indices[place] += 1;
            indices[place + 1..].fill(0);
            self.next = Some(indices);
        }
        Some(config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::param::Param;

    #[test]
    fn lists_each_configuration_once() {
        let space = Space::new(vec![
            Param::choice("a", ["x", "y"]),
            Param::int("b", 1, 3).only_if("a", ["x"]),
            Param::float("c", 0.0, 1.0).step(0.5),
        ])
        .unwrap();
        let all: Vec<String> = space.configs().unwrap().map(|config| config.to_string()).collect();
        assert_eq!(all.len(), 3 * 3 + 3);
        assert_eq!(all[0], "a=x b=1 c=0");
        assert_eq!(all[11], "a=y c=1");
        let mut unique = all.clone();
        unique.sort();
        unique.dedup();
        assert_eq!(unique.len(), all.len());
    }

    #[test]
    fn an_empty_space_has_one_configuration_and_a_real_interval_no_list() {
        assert_eq!(Space::default().configs().unwrap().count(), 1);
        assert!(Space::new(vec![Param::float("a", 0.0, 1.0)]).unwrap().configs().is_none());
    }
}
