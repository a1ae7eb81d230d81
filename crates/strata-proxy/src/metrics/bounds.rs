//! Bounds of the histograms' buckets.

/// Upper bounds of times per token, seconds: 1 ms to 10 s in steps of at most 1.7, finer
/// where engines work (5 to 100 ms).
pub(super) const PACE_BOUNDS: [f64; 22] = [
    0.001, 0.0015, 0.0025, 0.004, 0.006, 0.008, 0.01, 0.0125, 0.016, 0.02, 0.025, 0.032, 0.04,
    0.05, 0.07, 0.1, 0.16, 0.25, 0.5, 1.0, 2.5, 10.0,
];

/// Upper bounds of times to something, seconds: 1 ms to 10 minutes. OpenTelemetry's suggestion ends
/// at 10 s for the first token, where trouble begins.
pub(super) const TIME_BOUNDS: [f64; 24] = [
    0.001, 0.0025, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.15, 0.25, 0.4, 0.6, 1.0, 1.5, 2.5,
    5.0, 7.5, 10.0, 20.0, 40.0, 80.0, 160.0, 600.0,
];
/// Upper bounds of what the proxy adds, seconds.
pub(super) const OVERHEAD_BOUNDS: [f64; 11] =
    [0.00002, 0.00005, 0.0001, 0.0002, 0.0003, 0.0005, 0.001, 0.002, 0.005, 0.02, 0.1];
/// Upper bounds of lengths, tokens: powers of two, as contexts are.
pub(super) const LENGTH_BOUNDS: [f64; 21] = [
    1.0,
    2.0,
    4.0,
    8.0,
    16.0,
    32.0,
    64.0,
    128.0,
    256.0,
    512.0,
    1024.0,
    2048.0,
    4096.0,
    8192.0,
    16384.0,
    32768.0,
    65536.0,
    131_072.0,
    262_144.0,
    524_288.0,
    1_048_576.0,
];
/// Upper bounds of output tokens per second of one answer.
pub(super) const RATE_BOUNDS: [f64; 14] =
    [1.0, 2.0, 5.0, 10.0, 15.0, 20.0, 30.0, 40.0, 60.0, 80.0, 120.0, 200.0, 400.0, 1000.0];
