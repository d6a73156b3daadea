//! How long ago the process started: a time limit counts from there, not from when the program got round to looking.

/// Seconds since the operating system started the process; 0 where that cannot be told.
pub(crate) fn seconds_since_start() -> f64 {
    read().filter(|seconds| (0.0..60.0).contains(seconds)).unwrap_or(0.0)
}

#[cfg(target_os = "linux")]
fn read() -> Option<f64> {
    /// Clock ticks a second in `/proc`, fixed by the kernel's interface to programs (`USER_HZ`).
    const TICKS_A_SECOND: f64 = 100.0;
    /// The start time is field 22 of `/proc/self/stat`; the command's name, field 2, may hold spaces.
    const START_AFTER_NAME: usize = 19;
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let after_name = stat.rsplit_once(')')?.1;
    let started: f64 = after_name.split_whitespace().nth(START_AFTER_NAME)?.parse().ok()?;
    let uptime = std::fs::read_to_string("/proc/uptime").ok()?;
    let now: f64 = uptime.split_whitespace().next()?.parse().ok()?;
    Some(now - started / TICKS_A_SECOND)
}

#[cfg(not(target_os = "linux"))]
fn read() -> Option<f64> {
    None
}

#[cfg(test)]
mod tests {
    #[cfg(target_os = "linux")]
    #[test]
    fn a_running_test_has_started() {
        let seconds = super::read().unwrap();
        // `/proc` rounds both figures to hundredths.
        assert!((-0.02..86_400.0).contains(&seconds), "{seconds}");
    }
}
