//! What a machine can do at best: its arithmetic peak, and how fast it reads from each level of its memory.
//!
//! In: how many threads of the processor, or an adapter. Out: [`Limits`], measured once and then read from a file in the user's
//! cache folder, which has them by the machine's name. They are what a kernel's time is held against (the roofline of Williams,
//! Waterman and Patterson 2009). What others do at the same time on the machine lowers them: each is the best of several short
//! measurements, and can be measured anew.

#[cfg(feature = "gpu")]
mod adapter;
mod caches;
mod measure;

pub use caches::Caches;

use crate::cache;
#[cfg(feature = "gpu")]
use crate::gpu::{self, GpuError};
use serde_json::{Value, json};
use std::path::PathBuf;

/// A level of memory.
#[derive(Clone, Debug, PartialEq)]
pub struct Level {
    /// Its name: `L2`.
    pub name: String,
    /// How many bytes it has room for.
    pub room: f64,
    /// How fast it is read, in 10⁹ bytes a second.
    pub reads: f64,
}

/// What a machine can do at best.
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    /// 32-bit multiply-adds in registers, in 10⁹ operations a second; a multiply-add is two.
    pub arithmetic: f64,
    /// Its memory, nearest first. The last level has room for everything.
    pub levels: Vec<Level>,
}

/// A machine with what is known of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Machine {
    /// The processor and the host, or the adapter and its driver: for people and for the file.
    pub name: String,
    /// How many threads the limits are for, where the machine is a processor.
    pub threads: Option<usize>,
    /// The limits.
    pub limits: Limits,
    /// Why they could not be kept, where they were measured and could not.
    pub unkept: Option<String>,
}

impl Machine {
    /// This machine's processor, with its limits as the file has them; measured where it has none, or `anew`.
    pub fn processor(threads: usize, anew: bool) -> Machine {
        let (name, caches) = (name(), Caches::of_this_machine());
        let (key, rooms) = (threads.to_string(), caches.rooms(threads));
        let known = if anew { None } else { kept_limits(&name, &key, &rooms) };
        let (limits, unkept) = match known {
            Some(limits) => (limits, None),
            None => keep(&name, &key, measure::limits(&caches, threads)),
        };
        Machine { name, threads: Some(threads), limits, unkept }
    }

    /// A GPU, likewise.
    ///
    /// # Errors
    /// It could not be measured.
    #[cfg(feature = "gpu")]
    pub fn adapter(choice: gpu::Choice, anew: bool) -> Result<Machine, GpuError> {
        let adapters = pollster::block_on(gpu::adapters());
        let missing = || GpuError::NoAdapter { wanted: Some(choice.adapter.to_string()), found: Vec::new() };
        let adapter = adapters.get(choice.adapter).ok_or_else(missing)?;
        let (name, key) = (format!("{}, {}", adapter.name, adapter.driver), adapter.interface.as_str());
        let known = if anew { None } else { kept_limits(&name, key, &adapter::rooms(adapter)) };
        let (limits, unkept) = match known {
            Some(limits) => (limits, None),
            None => keep(&name, key, pollster::block_on(adapter::limits(adapter))?),
        };
        Ok(Machine { name, threads: None, limits, unkept })
    }

    /// The nearest level that has room for so many bytes.
    pub fn level_of(&self, bytes: f64) -> &Level {
        let levels = &self.limits.levels;
        levels.iter().find(|level| bytes <= level.room).or(levels.last()).expect("there is memory")
    }

    /// How long so many operations take at least, in seconds.
    pub fn computing(&self, operations: f64) -> f64 {
        operations / (self.limits.arithmetic * 1e9)
    }
}

impl Level {
    /// How long reading so many bytes from here takes at least, in seconds.
    pub fn reading(&self, bytes: f64) -> f64 {
        bytes / (self.reads * 1e9)
    }
}

/// The limits that the file has for a machine's part, if it has all of them.
fn kept_limits(name: &str, part: &str, rooms: &[(String, f64)]) -> Option<Limits> {
    Limits::of(read().get(name)?.get(part)?, rooms)
}

/// Puts limits into the file, beside those of other machines and parts; why that failed.
fn keep(name: &str, part: &str, limits: Limits) -> (Limits, Option<String>) {
    let mut kept = read();
    kept[name][part] = limits.document();
    let unkept = write(&kept).err();
    (limits, unkept)
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
        let reads = self.levels.iter().map(|level| (level.name.clone(), json!(level.reads)));
        json!({ "gflops": self.arithmetic, "gigabytes_read": serde_json::Map::from_iter(reads) })
    }

    /// Limits of a document, for levels of these names with room for so many bytes.
    fn of(document: &Value, rooms: &[(String, f64)]) -> Option<Limits> {
        let speed = |value: &Value| value.as_f64().filter(|speed| *speed > 0.0);
        let level = |(name, room): &(String, f64)| {
            let reads = speed(&document["gigabytes_read"][name.as_str()])?;
            Some(Level { name: name.clone(), room: *room, reads })
        };
        Some(Limits {
            arithmetic: speed(&document["gflops"])?,
            levels: rooms.iter().map(level).collect::<Option<Vec<Level>>>()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_read_as_they_were_written() {
        let rooms = Caches { first: 32 << 10, second: 1 << 20, third: 16 << 20 }.rooms(1);
        let levels = rooms.iter().zip([200.0, 90.25, 30.0, 12.0]);
        let levels = levels.map(|((name, room), reads)| Level { name: name.clone(), room: *room, reads }).collect();
        let limits = Limits { arithmetic: 81.5, levels };
        assert_eq!(Limits::of(&limits.document(), &rooms), Some(limits.clone()));
        assert_eq!(Limits::of(&json!({ "gflops": 80.0 }), &rooms), None);
        // A level that was not measured is missing.
        let more = [&rooms[..], &[("tape".to_string(), f64::INFINITY)]].concat();
        assert_eq!(Limits::of(&limits.document(), &more), None);
    }
}
