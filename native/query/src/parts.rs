//! How a fold is shared between threads.
//!
//! By groups where they can be told apart into parts of about the same size, since then nothing is done twice. By steps
//! otherwise, where each step is a result of its own: then every thread looks at all samples, but computes its steps alone.

use std::ops::Range;

use crate::{BadCall, Function, SeriesColumns};

/// The series of these groups, at these steps.
pub struct Part {
    pub groups: Range<u32>,
    pub steps: Range<usize>,
}

/// What one thread does, and what it found.
pub struct Share {
    pub part: Part,
    pub found: Vec<u8>,
    pub outcome: Result<(), BadCall>,
}

/// Samples and cells of less are done sooner, some 25 microseconds, than a thread comes to help.
const SHARED_MIN: usize = 64 * 1024;
/// So many steps are worth that another thread looks at all samples too.
const STEPS_MIN: usize = 128;

/// None where one thread does it all.
pub fn parts_of(function: Function, series: &SeriesColumns, steps: usize, groups: &[u32]) -> Option<Vec<Share>> {
    let cells = groups.len() * steps;
    let samples = series.offsets.last().map_or(0, |&end| end.saturating_sub(series.offsets[0]) as usize);
    // Both are looked for in this order, as the first is next to nothing.
    let threads = if cells + samples < SHARED_MIN { 1 } else { varve_pool::threads() };
    if threads < 2 {
        return None;
    }
    let by_steps = steps >= STEPS_MIN * threads && is_by_step(function);
    let parts = if by_steps { step_parts(steps, threads) } else { group_parts(groups, steps, threads)? };
    Some(parts.into_iter().map(|part| Share { part, found: Vec::new(), outcome: Ok(()) }).collect())
}

/// Whether a step's result is the same, whichever steps are computed with it: how sums are made depends on all of them.
fn is_by_step(function: Function) -> bool {
    matches!(function, Function::Latest | Function::Growth | Function::Delta | Function::Last | Function::Count)
}

fn step_parts(steps: usize, threads: usize) -> Vec<Part> {
    let border = |part: usize| steps * part / threads;
    (0..threads).map(|part| Part { groups: 0..u32::MAX, steps: border(part)..border(part + 1) }).collect()
}

/// Ranges of groups with about as many series each; none where one of them would have most.
pub fn group_parts(groups: &[u32], steps: usize, threads: usize) -> Option<Vec<Part>> {
    let mut sorted = groups.to_vec();
    sorted.sort_unstable();
    let mut borders: Vec<u32> = (1..threads).map(|part| sorted[sorted.len() * part / threads]).collect();
    borders.dedup();
    let count_below = |border: u32| sorted.partition_point(|&group| group < border);
    let mut parts = Vec::new();
    let mut first = 0;
    for border in borders.into_iter().chain([u32::MAX]) {
        if count_below(border) > count_below(first) {
            parts.push(Part { groups: first..border, steps: 0..steps });
            first = border;
        }
    }
    let largest = parts.iter().map(|part| count_below(part.groups.end) - count_below(part.groups.start)).max()?;
    (largest * 4 <= sorted.len() * 3).then_some(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_groups_hold_each_group_once() {
        let groups: Vec<u32> = (0..1000).map(|i| (i * 7919) % 13).collect();
        for threads in 2..=4 {
            let parts = group_parts(&groups, 10, threads).expect("thirteen groups can be told apart");
            for group in 0..13 {
                assert_eq!(parts.iter().filter(|part| part.groups.contains(&group)).count(), 1);
            }
        }
        assert!(group_parts(&[3; 1000], 10, 2).is_none());
    }

    #[test]
    fn parts_of_steps_hold_each_step_once() {
        for threads in 2..=4 {
            let parts = step_parts(361, threads);
            assert_eq!(parts.iter().map(|part| part.steps.len()).sum::<usize>(), 361);
            assert!(parts.windows(2).all(|pair| pair[0].steps.end == pair[1].steps.start));
        }
    }
}
