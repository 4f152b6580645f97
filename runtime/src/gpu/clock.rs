//! How long calls take on a device. Each call is a pass of its own then, with a timestamp where it begins and where it ends.
//!
//! Timestamps are the device's own: what passes between a submission and its results counts nowhere here.

use super::{Device, GpuError};
use crate::execute::Observer;
use std::time::Duration;

/// Timestamps in a set.
const IN_A_SET: usize = wgpu::QUERY_SET_MAX_QUERIES as usize;
/// Bytes of a timestamp.
const BYTES: u64 = wgpu::QUERY_SIZE as u64;

/// Times passes.
pub(crate) struct Clock {
    observer: Observer,
    sets: Vec<wgpu::QuerySet>,
    /// Where the device writes what the sets have.
    resolved: wgpu::Buffer,
    /// Where it is read.
    back: wgpu::Buffer,
    /// From one turn of the device's clock to the next, in nanoseconds.
    turn: f64,
}

impl Clock {
    /// A clock for so many passes; none where the device has no timestamps.
    pub fn new(device: &Device, passes: usize, observer: Observer) -> Option<Clock> {
        if !device.has_timestamps || passes == 0 {
            return None;
        }
        let timestamps = 2 * passes;
        let set = |first: usize| {
            device.device.create_query_set(&wgpu::QuerySetDescriptor {
                label: Some("timestamps"),
                ty: wgpu::QueryType::Timestamp,
                count: (timestamps - first).min(IN_A_SET) as u32,
            })
        };
        let buffer = |usage| {
            let (label, size) = (Some("timestamps"), timestamps as u64 * BYTES);
            device.device.create_buffer(&wgpu::BufferDescriptor { label, size, usage, mapped_at_creation: false })
        };
        Some(Clock {
            observer,
            sets: (0..timestamps).step_by(IN_A_SET).map(set).collect(),
            resolved: buffer(wgpu::BufferUsages::QUERY_RESOLVE | wgpu::BufferUsages::COPY_SRC),
            back: buffer(wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST),
            turn: f64::from(device.queue.get_timestamp_period()),
        })
    }

    /// The timestamps of a pass.
    pub fn around(&self, pass: usize) -> wgpu::ComputePassTimestampWrites<'_> {
        let first = 2 * pass % IN_A_SET;
        wgpu::ComputePassTimestampWrites {
            query_set: &self.sets[2 * pass / IN_A_SET],
            beginning_of_pass_write_index: Some(first as u32),
            end_of_pass_write_index: Some(first as u32 + 1),
        }
    }

    /// Records that the timestamps of the first passes come back.
    pub fn resolve(&self, commands: &mut wgpu::CommandEncoder, passes: usize) {
        let all = 2 * passes;
        for (set, first) in self.sets.iter().zip((0..all).step_by(IN_A_SET)) {
            let count = (all - first).min(IN_A_SET);
            commands.resolve_query_set(set, 0..count as u32, &self.resolved, first as u64 * BYTES);
        }
        commands.copy_buffer_to_buffer(&self.resolved, 0, &self.back, 0, all as u64 * BYTES);
    }

    /// How long each of the first passes took, once what was submitted is done.
    ///
    /// # Errors
    /// The device is lost.
    pub async fn read(&self, device: &Device, passes: usize) -> Result<Vec<Duration>, GpuError> {
        let timestamps: Vec<u64> = device.read(&self.back, 2 * passes as u64 * BYTES).await?;
        let took = |pair: &[u64]| {
            // Some clocks begin anew at zero.
            let turns = pair[1].wrapping_sub(pair[0]);
            Duration::from_nanos((turns as f64 * self.turn).round() as u64)
        };
        Ok(timestamps.chunks_exact(2).map(took).collect())
    }

    /// Tells the observer how long each pass took, where these are the calls that they were.
    ///
    /// # Errors
    /// The device is lost.
    pub async fn tell(&self, device: &Device, calls: &[usize]) -> Result<(), GpuError> {
        let times = self.read(device, calls.len()).await?;
        calls.iter().zip(times).for_each(|(call, took)| (self.observer)(*call, took));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::{Choice, adapters};

    /// A set has room for so many timestamps: more passes than that take several.
    #[test]
    fn passes_of_several_sets_are_timed() {
        let Some(adapter) = pollster::block_on(adapters()).into_iter().next() else {
            assert!(std::env::var_os("SEQWRIGHT_REQUIRE_GPU").is_none(), "there is no adapter");
            eprintln!("SKIPPED: there is no adapter");
            return;
        };
        let device = pollster::block_on(Device::open(&adapter, Choice::default())).expect("it gives a device");
        let passes = IN_A_SET / 2 + 3;
        let Some(clock) = Clock::new(&device, passes, Box::new(|_, _| ())) else {
            assert!(!adapter.features().contains(&"timestamps"), "there is a clock");
            return;
        };
        assert_eq!(clock.sets.len(), 2);
        let mut commands = device.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        for pass in 0..passes {
            let timestamp_writes = Some(clock.around(pass));
            commands.begin_compute_pass(&wgpu::ComputePassDescriptor { label: None, timestamp_writes });
        }
        clock.resolve(&mut commands, passes);
        device.queue.submit([commands.finish()]);
        let times = pollster::block_on(clock.read(&device, passes)).expect("they are read");
        assert_eq!(times.len(), passes);
        assert!(times.iter().all(|took| *took < Duration::from_secs(10)), "{times:?}");
    }
}
