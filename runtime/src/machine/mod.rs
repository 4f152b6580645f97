//! What this machine can do at best: its arithmetic peak, and how fast it reads from each level of its memory.
//!
//! In: how many threads. Out: [`Limits`], measured once and then read from a file in the user's cache folder, which has them by
//! the machine's name. They are what a kernel's time is held against (the roofline of Williams, Waterman and Patterson 2009).
//! What others do at the same time on the machine lowers them: each is the best of several short measurements, and can be
//! measured anew.

mod caches;
mod measure;

pub use caches::{Caches, Level};

use crate::cache;
use serde_json::{Value, json};
use std::path::PathBuf;

/// What so many threads can do at best.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// 32-bit multiply-adds in registers, in 10⁹ operations a second; a multiply-add is two.
    pub arithmetic: f64,
    /// Reads from each level, nearest first, in 10⁹ bytes a second.
    pub reads: [f64; 4],
}

/// A machine with what is known of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Machine {
    /// The processor and the host, for people and for the file.
    pub name: String,
    /// Its caches.
    pub caches: Caches,
    /// How many threads the limits are for.
    pub threads: usize,
    /// The limits.
    pub limits: Limits,
    /// Why they could not be kept, where they were measured and could not.
    pub unkept: Option<String>,
}

impl Machine {
    /// This machine, with its limits as the file has them; measured where it has none, or `anew`.
    pub fn this(threads: usize, anew: bool) -> Machine {
        let (name, caches) = (name(), Caches::of_this_machine());
        let mut kept = read();
        let known = kept.get(&name).and_then(|known| Limits::of(known.get(threads.to_string())?));
        if let (Some(limits), false) = (known, anew) {
            return Machine { name, caches, threads, limits, unkept: None };
        }
        let limits = measure::limits(&caches, threads);
        // By machine, by threads.
        kept[name.as_str()][threads.to_string()] = limits.document();
        let unkept = write(&kept).err();
        Machine { name, caches, threads, limits, unkept }
    }

    /// The nearest level that has room for so many bytes, shared out over the threads.
    pub fn level_of(&self, bytes: f64) -> Level {
        self.caches.level_of(bytes, self.threads)
    }

    /// How long reading so many bytes from a level takes at least, in seconds.
    pub fn reading(&self, bytes: f64, level: Level) -> f64 {
        bytes / (self.limits.reads[level as usize] * 1e9)
    }

    /// How long so many operations take at least, in seconds.
    pub fn computing(&self, operations: f64) -> f64 {
        operations / (self.limits.arithmetic * 1e9)
    }
}

/// The processor's name and the host's.
fn name() -> String {
    let cpuinfo = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let value = |line: &str| line.split_once(':').map(|(_, value)| value.trim().to_string());
    let processor = cpuinfo.lines().find(|line| line.starts_with("model name")).and_then(value);
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").ok().map(|name| name.trim().to_string());
    let host = host.or_else(|| std::env::var("COMPUTERNAME").ok());
    let parts = [processor.or_else(|| Some(std::env::consts::ARCH.to_string())), host];
    parts.into_iter().flatten().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ")
}

/// The file with the limits, in the folder that the system has for what can be made again.
fn file() -> Option<PathBuf> {
    Some(cache::folder()?.join("machines.json"))
}

/// What the file has. One that can't be read has nothing: it is measured again then.
fn read() -> Value {
    let text = file().and_then(|file| std::fs::read_to_string(file).ok());
    let kept = text.and_then(|text| serde_json::from_str(&text).ok());
    let well_formed = |kept: &Value| kept.as_object().is_some_and(|all| all.values().all(Value::is_object));
    kept.filter(well_formed).unwrap_or_else(|| json!({}))
}

fn write(kept: &Value) -> Result<(), String> {
    let file = file().ok_or("there is no folder for caches: HOME is not set")?;
    let told = |why: std::io::Error| format!("cannot write {}: {why}", file.display());
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder).map_err(told)?;
    }
    // Whoever reads meanwhile finds the old file or the new one.
    let beside = file.with_extension(format!("json.{}", std::process::id()));
    std::fs::write(&beside, format!("{kept:#}\n")).map_err(told)?;
    std::fs::rename(&beside, &file).map_err(told)
}

impl Limits {
    /// The limits as JSON.
    pub fn document(&self) -> Value {
        let reads = Level::ALL.iter().zip(self.reads).map(|(level, speed)| (level.name().to_string(), json!(speed)));
        json!({ "gflops": self.arithmetic, "gigabytes_read": serde_json::Map::from_iter(reads) })
    }

    fn of(document: &Value) -> Option<Limits> {
        let mut reads = [0.0; 4];
        for level in Level::ALL {
            reads[level as usize] = document["gigabytes_read"][level.name()].as_f64()?;
        }
        let arithmetic = document["gflops"].as_f64()?;
        reads.iter().chain([&arithmetic]).all(|speed| *speed > 0.0).then_some(Limits { arithmetic, reads })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_read_as_they_were_written() {
        let limits = Limits { arithmetic: 81.5, reads: [200.0, 90.25, 30.0, 12.0] };
        assert_eq!(Limits::of(&limits.document()), Some(limits));
        assert_eq!(Limits::of(&json!({ "gflops": 80.0 })), None);
    }
}
