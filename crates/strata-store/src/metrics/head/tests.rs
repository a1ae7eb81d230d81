//! Tests of the head.

use super::*;

#[test]
fn a_slice_holds_every_sample_from_its_time_on() {
    let mut head = Head::default();
    head.grow(1);
    let mut random = fastrand::Rng::with_seed(3);
    let mut samples = Vec::new();
    let mut time = 1_000;
    for _ in 0..500 {
        time += random.i64(1..40_000);
        // Whole numbers, decimals and noise: each kind of token.
        let value = match random.u8(0..3) {
            0 => random.i64(0..1_000) as f64,
            1 => random.i64(0..1_000) as f64 / 100.0,
            _ => random.f64(),
        };
        assert_eq!(head.append(0, time, value.to_bits(), DAY_MS), Verdict::Appended);
        samples.push((time, value.to_bits()));
        for _ in 0..4 {
            let from = random.i64(0..time + 50_000);
            // What was copied before it does not matter.
            let mut packed = vec![0; random.usize(0..9)];
            let slice = head.slice(0, from, &mut packed).unwrap();
            let (mut times, mut bits) = (Vec::new(), Vec::new());
            slice.floats(&packed, &mut times, &mut bits, |bits| bits);
            let found: Vec<_> = times.into_iter().zip(bits).collect();
            assert!(samples.ends_with(&found), "from {from}");
            let wanted = samples.iter().filter(|(at, _)| *at >= from).count();
            assert!(found.len() >= wanted, "from {from}: {} of {wanted}", found.len());
        }
    }
    let tail = head.slice(0, time, &mut Vec::new()).unwrap();
    assert!(tail.count <= 2 * RESTART as usize, "{}", tail.count);
}

#[test]
fn late_samples_count_towards_the_memory_of_the_head() {
    let mut head = Head::default();
    head.grow(1);
    let window = DAY_MS;
    assert_eq!(head.append(0, DAY_MS, 1, window), Verdict::Appended);
    let before = head.bytes();
    for time in 0..10_000 {
        assert_eq!(head.append(0, time, 1, window), Verdict::Appended);
    }
    let taken = head.bytes() - before;
    assert!(taken >= 10_000 * size_of::<(i64, u64)>(), "{taken}");
    head.clear();
    assert_eq!(head.bytes(), before);
}
