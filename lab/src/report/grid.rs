//! The cases of a run in rows and columns: for each target, strategy and method down, Local Network Access across.

use std::collections::{BTreeMap, BTreeSet};

use crate::case::{AttackerSpace, LocalNetworkAccess, Method};
use crate::strategy::Strategy;
use crate::verdict::{CaseResult, Outcome, Run, ServiceResult, TargetKind};

/// All that is said of one target.
#[derive(Debug)]
pub(super) struct Group<'a> {
    pub(super) name: &'a str,
    /// None: cases name a target of which the run says nothing.
    pub(super) service: Option<&'a ServiceResult>,
    pub(super) cases: Vec<Entry<'a>>,
}

/// A case and its place in the run, counted from 0.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry<'a> {
    pub(super) index: usize,
    pub(super) result: &'a CaseResult,
}

/// The cases of a target whose attacker stands in one place.
#[derive(Debug)]
pub(super) struct Grid<'a> {
    pub(super) attacker: AttackerSpace,
    pub(super) taken_for_public: Option<&'a str>,
    pub(super) columns: Vec<LocalNetworkAccess>,
    pub(super) rows: Vec<Row<'a>>,
}

#[derive(Debug)]
pub(super) struct Row<'a> {
    pub(super) strategy: Strategy,
    pub(super) method: Method,
    /// One for each column.
    pub(super) cells: Vec<Option<Entry<'a>>>,
}

/// The targets in the run's order, with their cases. None is left out: neither a target without cases nor a case without its target.
pub(super) fn groups(run: &Run) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    for service in &run.services {
        groups.push(Group {
            name: &service.target.name,
            service: Some(service),
            cases: Vec::new(),
        });
    }
    for (index, result) in run.cases.iter().enumerate() {
        let entry = Entry { index, result };
        match groups.iter_mut().find(|group| group.name == result.case.target) {
            Some(group) => group.cases.push(entry),
            None => groups.push(Group {
                name: &result.case.target,
                service: None,
                cases: vec![entry],
            }),
        }
    }
    groups
}

impl<'a> Group<'a> {
    /// Whether this is the negative control: to be read is its task.
    pub(super) fn is_control(&self) -> bool {
        self.service.is_some_and(is_control)
    }

    pub(super) fn count(&self, outcome: Outcome) -> usize {
        self.cases.iter().filter(|case| case.result.outcome == outcome).count()
    }

    pub(super) fn grids(&self) -> Vec<Grid<'a>> {
        let mut places: BTreeMap<(AttackerSpace, Option<&str>), Vec<Entry<'a>>> = BTreeMap::new();
        for entry in &self.cases {
            let case = &entry.result.case;
            let place = (case.attacker, case.taken_for_public.as_deref());
            places.entry(place).or_default().push(*entry);
        }
        let grid = |((attacker, taken_for_public), entries): (_, Vec<_>)| Grid {
            attacker,
            taken_for_public,
            columns: columns(&entries),
            rows: rows(&entries),
        };
        places.into_iter().map(grid).collect()
    }
}

pub(super) fn is_control(service: &ServiceResult) -> bool {
    service.target.kind == TargetKind::Canary
}

fn columns(entries: &[Entry<'_>]) -> Vec<LocalNetworkAccess> {
    let settings: BTreeSet<_> = entries
        .iter()
        .map(|entry| entry.result.case.local_network_access)
        .collect();
    settings.into_iter().collect()
}

/// A case that was run more than once gets a row more.
fn rows<'a>(entries: &[Entry<'a>]) -> Vec<Row<'a>> {
    let columns = columns(entries);
    let mut cells: BTreeMap<(Strategy, Method), Vec<Vec<Entry<'a>>>> = BTreeMap::new();
    for entry in entries {
        let case = &entry.result.case;
        let row = cells
            .entry((case.strategy, case.method))
            .or_insert_with(|| vec![Vec::new(); columns.len()]);
        for (cell, setting) in row.iter_mut().zip(&columns) {
            if *setting == case.local_network_access {
                cell.push(*entry);
            }
        }
    }
    let mut rows = Vec::new();
    for ((strategy, method), cells) in cells {
        let repetitions = cells.iter().map(Vec::len).max().unwrap_or(0);
        for repetition in 0..repetitions {
            let cells = cells.iter().map(|cell| cell.get(repetition).copied()).collect();
            rows.push(Row {
                strategy,
                method,
                cells,
            });
        }
    }
    rows
}

impl Grid<'_> {
    /// `attacker in the public space`
    pub(super) fn place(&self) -> String {
        let space = self.attacker.name();
        match self.taken_for_public {
            Some(range) => format!(
                "attacker in the {space} address space, {} taken for public",
                super::text::plain(range, 50)
            ),
            None => format!("attacker in the {space} address space"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;

    #[test]
    fn every_case_has_one_cell() {
        for mut run in [fixture::run(), fixture::hostile(), fixture::empty()] {
            run.cases.extend(run.cases.clone());
            let mut seen = Vec::new();
            for group in groups(&run) {
                for grid in group.grids() {
                    for row in grid.rows {
                        assert_eq!(row.cells.len(), grid.columns.len());
                        seen.extend(row.cells.iter().flatten().map(|entry| entry.index));
                    }
                }
            }
            seen.sort_unstable();
            assert_eq!(seen, (0..run.cases.len()).collect::<Vec<_>>());
        }
    }
}
