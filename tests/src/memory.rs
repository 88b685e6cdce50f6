//! What a process has in memory.

use anyhow::{Context as _, Result};

/// Memory of a process, in MB.
#[derive(Clone, Copy, Debug)]
pub struct Memory {
    /// All of it (RSS).
    pub resident: f64,
    /// What of it is no page of the program's file.
    pub anonymous: f64,
    /// The most that it ever had.
    pub most: f64,
}

impl Memory {
    /// What a process has at this moment.
    pub fn of(process: u32) -> Result<Self> {
        let file = format!("/proc/{process}/status");
        let status = std::fs::read_to_string(&file).with_context(|| format!("failed to read {file}"))?;
        let field = |name: &str| {
            let value = status.lines().find_map(|line| line.strip_prefix(name));
            let kibibytes = value.and_then(|value| value.trim().strip_suffix(" kB"));
            Ok::<f64, anyhow::Error>(
                kibibytes
                    .with_context(|| format!("{file} has no {name}"))?
                    .parse()?,
            )
        };
        Ok(Self {
            resident: field("VmRSS:")? * 1024.0 / 1e6,
            anonymous: field("RssAnon:")? * 1024.0 / 1e6,
            most: field("VmHWM:")? * 1024.0 / 1e6,
        })
    }
}
