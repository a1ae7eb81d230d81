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
    assert!(tail.chain.count <= 2 * RESTART as usize, "{}", tail.chain.count);
}

#[test]
fn what_is_said_to_be_whole_without_the_disk_is_whole_over_every_seal() {
    let mut random = fastrand::Rng::with_seed(5);
    let mut spared = 0;
    for _ in 0..60 {
        let mut head = Head::default();
        head.grow(2);
        let step = random.i64(500..90_000);
        let (mut samples, mut time, mut sealed_until) = (Vec::new(), 1_000, i64::MIN);
        for _ in 0..400 {
            time += random.i64(1..2 * step);
            let late = random.u8(0..80) == 0;
            let at = if late { time - 4 * step } else { time };
            let bits = (f64::from(random.u32(0..500)) / 10.0).to_bits();
            let fresh = samples.iter().all(|(known, _)| *known != at);
            // The store has looked on disk for what is as old as that.
            if fresh && at > 0 && head.append_checked(0, at, bits, DAY_MS) == Verdict::Appended {
                samples.push((at, bits));
            }
            if random.u8(0..100) == 0 {
                sealed_until = time;
                head.clear();
                assert!(!head.holds(0), "all of it is sealed");
            }
            let from = random.i64(time - 40 * step..=time + 1);
            if head.is_sealed_from(0, from) {
                continue;
            }
            spared += usize::from(from <= sealed_until);
            let (mut packed, mut times, mut bits) = (Vec::new(), Vec::new(), Vec::new());
            if let Some(slice) = head.slice(0, from, &mut packed) {
                slice.floats(&packed, &mut times, &mut bits, |bits| bits);
            }
            let found: Vec<_> = times.into_iter().zip(bits).filter(|(at, _)| *at >= from).collect();
            let wanted = samples.iter().copied().filter(|(at, _)| *at >= from);
            let mut wanted: Vec<_> = wanted.collect();
            wanted.sort_unstable();
            assert_eq!(found, wanted, "from {from}");
        }
    }
    assert!(spared > 1_000, "{spared} reads over a seal needed no disk");
}

#[test]
fn tails_are_no_reason_to_seal_again() {
    let mut head = Head::default();
    head.grow(1_000);
    for id in 0..1_000 {
        for time in 0..30 {
            head.append(id, time * 30_000, u64::from(id), DAY_MS);
        }
    }
    let before = head.unsealed_bytes();
    head.clear();
    assert_eq!(head.unsealed_bytes(), 0);
    assert!(head.bytes() >= before / 4, "the last minutes of all series are held");
    assert_eq!(head.samples(), 0);
    assert!((0..1_000).all(|id| !head.is_sealed_from(id, 15 * 30_000)));
    // The next seal lets go of series that have ended.
    head.append(0, 10_000_000, 1, DAY_MS);
    head.clear();
    assert!(head.is_sealed_from(1, 15 * 30_000));
    assert!(!head.is_sealed_from(0, 9_999_999));
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
    assert_eq!(head.unsealed_bytes(), 0);
}
