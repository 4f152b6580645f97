//! candle as a peer of `tests/peers`: runs a model on the weights and inputs of a row, and says how long that takes.
//!
//! ```text
//! candle-peer MODEL WEIGHTS IO    answers requests on standard input until there are no more, a line of JSON each:
//!                                   values FILE      runs once, and writes what comes out as `values` of a file
//!                                   run SECONDS MOST runs as long or as often, three times at least: the seconds of
//!                                                    each run on the wall, and of the processor
//! candle-peer text WEIGHTS TEXT   prints MiniLM's vector of a text, and that is the whole process
//! ```
//!
//! WEIGHTS is a folder as the row has it, or a GGUF file; IO a file with tensors `in.NAME`. The number of threads is
//! candle's own variable, `RAYON_NUM_THREADS`. What is run is candle's own code of each model; `models.rs` calls it.

mod models;
mod text;

use anyhow::{Context, Result, bail};
use rustix::time::{ClockId, clock_gettime};
use serde_json::json;
use std::io::{BufRead, Write};
use std::path::Path;
use std::time::{Duration, Instant};

/// The fewest runs that are timed.
const FEWEST: usize = 3;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [model, weights, given] = arguments.as_slice() else {
        bail!("expected are three arguments, MODEL WEIGHTS IO, and not {}", arguments.len());
    };
    if model == "text" {
        println!("{}", json!(text::vector(Path::new(weights), given)?));
        return Ok(());
    }
    let mut run = models::prepare(model, Path::new(weights), Path::new(given))?;
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let answer = match line.split_whitespace().collect::<Vec<_>>().as_slice() {
            ["values", file] => {
                run()?.save_safetensors("values", file)?;
                json!({})
            }
            ["run", seconds, most] => timed(&mut run, seconds.parse()?, most.parse()?)?,
            _ => bail!("expected is `values FILE` or `run SECONDS MOST`, and not `{line}`"),
        };
        println!("{answer}");
        std::io::stdout().flush().context("nobody reads the answers")?;
    }
    Ok(())
}

/// How long runs took, of as many as fit into so many seconds.
fn timed(run: &mut models::Run, seconds: f64, most: usize) -> Result<serde_json::Value> {
    let (mut wall, mut processor) = (Vec::new(), Vec::new());
    let begun = Instant::now();
    while wall.len() < FEWEST || (begun.elapsed().as_secs_f64() < seconds && wall.len() < most) {
        let (start, before) = (Instant::now(), processor_time());
        run()?;
        processor.push((processor_time() - before).as_secs_f64());
        wall.push(start.elapsed().as_secs_f64());
    }
    Ok(json!({ "wall": wall, "processor": processor }))
}

/// The processor's time of all threads of this process so far.
fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}
