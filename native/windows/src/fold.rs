//! What series contribute to groups: the twin of packages/aggregator/src/windows/slice-fold.ts and of the folds of
//! packages/aggregator/src/aggregations/fold.ts, operation by operation.

use crate::BadCall;

/// Groups that are left to the caller, by what each series contributes.
const EACH_FOREIGN: u8 = 255;

/// What was found of the series of a slice, by place.
pub struct Scanned<'a> {
    pub members: &'a [u32],
    pub counts: &'a [f64],
    pub sums: &'a [f64],
    pub mins: &'a [f64],
    pub maxs: &'a [f64],
    pub lasts: &'a [f64],
    pub last_times: &'a [f64],
    pub increases: &'a [f64],
    pub lives: &'a [u8],
    pub lived_before: &'a [u8],
    pub resolution_ms: f64,
}

/// By member its groups `groups[starts, starts + counts)`, and by group what it folds.
pub struct Groups<'a> {
    pub starts: &'a [u32],
    pub counts: &'a [u32],
    pub groups: &'a [u32],
    pub each: &'a [u8],
    pub absolutes: &'a [u8],
    pub fold_starts: &'a [u32],
    pub fold_counts: &'a [u8],
    pub codes: &'a [u8],
}

/// The cells of one window: by group where its numbers begin, how many contributed, and two counts of those that live.
pub struct Cells<'a> {
    pub starts: &'a [u32],
    pub values: &'a mut [f64],
    pub contributed: &'a mut [u32],
    pub living: &'a mut [u32],
}

/// Folds what the series contribute, in their order.
pub fn fold_window(scanned: &Scanned, groups: &Groups, cells: &mut Cells) -> Result<(), BadCall> {
    let count = scanned.members.len();
    let shortest = [
        scanned.counts.len(),
        scanned.sums.len(),
        scanned.mins.len(),
        scanned.maxs.len(),
        scanned.lasts.len(),
        scanned.last_times.len(),
        scanned.increases.len(),
        scanned.lives.len(),
        scanned.lived_before.len(),
    ];
    if shortest.into_iter().any(|length| length < count) {
        return Err(BadCall("a column is shorter than the members"));
    }
    let group_count = [
        groups.each.len(),
        groups.absolutes.len(),
        groups.fold_starts.len(),
        groups.fold_counts.len(),
        cells.starts.len(),
        cells.contributed.len(),
        cells.living.len() / 2,
    ];
    let group_count = group_count.into_iter().min().unwrap_or(0);
    for i in 0..count {
        let (lives, lived_before) = (scanned.lives[i], scanned.lived_before[i]);
        let has_value = scanned.counts[i] > 0.0;
        if !has_value && lives == 0 && lived_before == 0 {
            continue;
        }
        let member = scanned.members[i] as usize;
        let (Some(&start), Some(&length)) = (groups.starts.get(member), groups.counts.get(member)) else {
            return Err(BadCall("a member has no groups"));
        };
        let Some(own) = groups.groups.get(start as usize..start as usize + length as usize) else {
            return Err(BadCall("the list of a member's groups ends early"));
        };
        for &group in own {
            let group = group as usize;
            if group >= group_count {
                return Err(BadCall("a group has no cells"));
            }
            let each = groups.each[group];
            if each == EACH_FOREIGN {
                continue;
            }
            cells.living[group * 2] += u32::from(lived_before);
            cells.living[group * 2 + 1] += u32::from(lives);
            if !has_value {
                continue;
            }
            let value = contributed_by(scanned, each, i)?;
            let value = if groups.absolutes[group] == 1 { value.abs() } else { value };
            let from = groups.fold_starts[group] as usize;
            let Some(codes) = groups.codes.get(from..from + usize::from(groups.fold_counts[group])) else {
                return Err(BadCall("the list of a group's folds ends early"));
            };
            let mut at = cells.starts[group] as usize;
            for &code in codes {
                let width = add(code, cells.values.get_mut(at..).unwrap_or(&mut []), value, scanned.last_times[i])?;
                at += width;
            }
            cells.contributed[group] += 1;
        }
    }
    Ok(())
}

/// What series i contributes, by the numbers of `EACH` in packages/aggregator/src/windows/group-columns.ts.
#[inline(always)]
fn contributed_by(scanned: &Scanned, each: u8, i: usize) -> Result<f64, BadCall> {
    Ok(match each {
        0 => scanned.lasts[i],
        1 => scanned.mins[i],
        2 => scanned.maxs[i],
        3 => scanned.sums[i],
        4 => scanned.sums[i] / scanned.counts[i],
        5 => scanned.counts[i],
        6 => scanned.increases[i],
        7 => (scanned.increases[i] * 1000.0) / scanned.resolution_ms,
        _ => return Err(BadCall("unknown contribution")),
    })
}

/// Adds a value to the cell that `cells` begin with, by the codes of folds; returns how many numbers it has.
#[inline(always)]
fn add(code: u8, cells: &mut [f64], value: f64, time: f64) -> Result<usize, BadCall> {
    match (code, cells) {
        (1, [sum, rest, ..]) => {
            add_to_sum(sum, rest, value);
            Ok(2)
        }
        (2, [count, ..]) => {
            *count += 1.0;
            Ok(1)
        }
        (3, [kept, ..]) => {
            let is_first_zero = value == 0.0 && *kept == 0.0 && 1.0 / value < 1.0 / *kept;
            if value < *kept || kept.is_nan() || is_first_zero {
                *kept = value;
            }
            Ok(1)
        }
        (4, [kept, ..]) => {
            let is_last_zero = value == 0.0 && *kept == 0.0 && 1.0 / value > 1.0 / *kept;
            if value > *kept || kept.is_nan() || is_last_zero {
                *kept = value;
            }
            Ok(1)
        }
        (5, [kept_time, kept, ..]) => {
            let is_newer = time > *kept_time || (time == *kept_time && (value > *kept || kept.is_nan()));
            if is_newer {
                *kept_time = time;
                *kept = value;
            }
            Ok(2)
        }
        (6, [sum, rest, count, ..]) => {
            add_to_sum(sum, rest, value);
            *count += 1.0;
            Ok(3)
        }
        _ => Err(BadCall("unknown fold, or a cell too short")),
    }
}

/// As Neumaier: what the addition drops is kept beside.
#[inline(always)]
fn add_to_sum(sum: &mut f64, rest: &mut f64, value: f64) {
    let next = *sum + value;
    if sum.abs() >= value.abs() {
        *rest += *sum - next + value;
    } else {
        *rest += value - next + *sum;
    }
    *sum = next;
}
