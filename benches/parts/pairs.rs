//! Two contenders in turns: what is ours, and what it is measured against. criterion warms up, takes the samples of ours and
//! compares them with those of an earlier run; the ratio is taken here, since criterion would measure one after the other
//! and what disturbs a noisy machine would fall on one of them.

use std::time::{Duration, Instant};

use cpu_time::ThreadTime;
use criterion::{Criterion, SamplingMode, Throughput};

/// How one pair is sampled.
#[derive(Clone, Copy)]
pub struct Pace {
    pub samples: usize,
    pub warm_up: Duration,
    pub measure: Duration,
}

/// For what takes less than some milliseconds.
pub const QUICK: Pace =
    Pace { samples: 20, warm_up: Duration::from_millis(200), measure: Duration::from_millis(600) };
/// For rounds of which each takes a good part of a second.
pub const ROUNDS: Pace =
    Pace { samples: 10, warm_up: Duration::from_millis(1), measure: Duration::from_secs(1) };

/// What a pair took, each the median of its samples.
#[derive(Clone, Copy)]
pub struct Pair {
    /// Ours, in seconds.
    pub ours: f64,
    /// The other, in seconds.
    pub bare: f64,
    /// How fast ours is, of the other's speed.
    pub speed: f64,
}

/// Time of one call on the wall.
pub fn timed<T>(call: impl FnOnce() -> T) -> Duration {
    let began = Instant::now();
    let result = call();
    let took = began.elapsed();
    drop(std::hint::black_box(result));
    took
}

/// CPU time of one call that does all its work on this thread: what else runs on the machine is not in it.
pub fn cpu<T>(call: impl FnOnce() -> T) -> Duration {
    let began = ThreadTime::now();
    let result = call();
    let took = began.elapsed();
    drop(std::hint::black_box(result));
    took
}

/// Measures `ours` and `bare` in turns. Each call times itself, so that it may prepare what is not to be measured, and does
/// `elements` things.
pub fn pair(
    criterion: &mut Criterion,
    part: &str,
    name: &str,
    pace: Pace,
    elements: u64,
    ours: &mut dyn FnMut() -> Duration,
    bare: &mut dyn FnMut() -> Duration,
) -> Pair {
    let mut samples: Vec<[f64; 2]> = Vec::new();
    let mut group = criterion.benchmark_group(part);
    group
        .sampling_mode(SamplingMode::Flat)
        .sample_size(pace.samples)
        .warm_up_time(pace.warm_up)
        .measurement_time(pace.measure)
        .throughput(Throughput::Elements(elements));
    group.bench_function(name, |bencher| {
        bencher.iter_custom(|times| {
            let mut sums = [Duration::ZERO; 2];
            for time in 0..times {
                // Neither always has what the other left in the caches.
                if (time + samples.len() as u64).is_multiple_of(2) {
                    sums[0] += ours();
                    sums[1] += bare();
                } else {
                    sums[1] += bare();
                    sums[0] += ours();
                }
            }
            samples.push(sums.map(|sum| sum.as_secs_f64() / times as f64));
            sums[0]
        });
    });
    group.finish();
    // The first ones were to warm up.
    let samples = samples.split_off(samples.len().saturating_sub(pace.samples));
    let median = |of: fn(&[f64; 2]) -> f64| {
        let mut all: Vec<f64> = samples.iter().map(of).collect();
        all.sort_by(f64::total_cmp);
        all[all.len() / 2]
    };
    Pair {
        ours: median(|[ours, _]| *ours),
        bare: median(|[_, bare]| *bare),
        speed: median(|[ours, bare]| bare / ours),
    }
}

/// Measures one thing that has nothing to be measured against; its median, in seconds.
pub fn alone(criterion: &mut Criterion, part: &str, name: &str, call: &mut dyn FnMut() -> Duration) -> f64 {
    pair(criterion, part, name, QUICK, 1, call, &mut || Duration::ZERO).ours
}
