//! A kernel as a module: bindings, functions, and an entry point for each dispatch.

use super::cooperative::Cooperative;
use super::functions::{self, Function};
use super::lookups::Need;
use super::loops::Share;
use super::names::Names;
use super::phases::{self, Form, Plan, ScratchPlace, Work};
use super::scan::ENTRIES;
use super::shader::{Entry, Grid, Phase, Shader, Stored, Target, WORKGROUPS};
use super::text::{Expression, Text};
use super::weights::{self, Layout, PARAMETERS};
use crate::kernel::{Body, Kernel, Loop, Place, Program, Space, Stage};
use crate::term::Reduction;
use std::collections::{BTreeMap, BTreeSet};

/// One kernel of a program.
pub fn emit(program: &Program, kernel: usize, target: &Target) -> Shader {
    let number = kernel;
    let kernel = &program.kernels[number];
    let lanes = lanes(kernel, target);
    let plan = phases::plan(kernel, lanes, target);
    let mut names = Names::new();
    let arguments = (kernel.arguments.iter().enumerate())
        .map(|(place, argument)| match weights_of(kernel, place) {
            true => names.take("weights"),
            false => names.take(&argument.name),
        })
        .collect();
    let scratch = kernel.scratch.iter().map(|scratch| names.take(&scratch.name)).collect();
    let layouts = weights::of_arguments(program, number, target);
    let mut spelling = Spelling {
        program,
        kernel,
        names,
        arguments,
        scratch,
        parameters: Vec::new(),
        parts: vec![None; layouts.len()],
        layouts,
        places: plan.scratch.clone(),
        slot: if matches!(kernel.body, Body::Scan { .. }) { "sequence" } else { "row" },
        position: "position",
        lanes,
        subgroups: target.subgroups,
        cooperative: target.cooperative,
        extensions: BTreeSet::new(),
        functions: BTreeSet::new(),
        lane_functions: BTreeSet::new(),
        needs: BTreeSet::new(),
        tables: BTreeMap::new(),
        held: Held::default(),
        extra: Vec::new(),
    };
    spelling.parameters = spelling.merged(target);
    spelling.name_parts();
    let (text, phases) = spelling.entries(&plan);
    let text = spelling.module(number, &plan, &text);
    let kept = plan.scratch.iter().zip(&kernel.scratch).filter(|(place, _)| **place == ScratchPlace::Buffer);
    let scratch = kept.map(|(_, scratch)| Stored { name: scratch.name.clone(), row: scratch.row }).collect();
    let parameters = std::mem::take(&mut spelling.parameters);
    let parts = spelling.layouts.iter().map(|layout| layout.parts).collect();
    let shader = Shader { text, form: plan.why, parameters, parts, scratch, phases };
    #[cfg(feature = "validate")]
    if let Err(why) = super::validate::validate(&shader.text, target) {
        panic!("kernel {number} {} is no valid WGSL: {why}\n{}", kernel.name, shader.text);
    }
    shader
}

/// Whether a product has an argument.
fn of_product(kernel: &Kernel, argument: usize) -> bool {
    match &kernel.body {
        Body::Rows { stages, .. } | Body::Scan { stages, .. } => stages.iter().any(|stage| match stage {
            Stage::Product(product) => {
                let place = Place::Argument(argument);
                product.weights == argument || product.operand == place || product.target == place
            }
            Stage::Loop(_) => false,
        }),
        // Queries, keys and values may be weights, but are read row by row.
        Body::Attention(_) => false,
    }
}

/// Whether an argument is the weights of a product, whose names say all that is packed in them.
fn weights_of(kernel: &Kernel, argument: usize) -> bool {
    match &kernel.body {
        Body::Rows { stages, .. } | Body::Scan { stages, .. } => stages.iter().any(|stage| match stage {
            Stage::Product(product) => product.weights == argument,
            Stage::Loop(_) => false,
        }),
        Body::Attention(_) => false,
    }
}

/// Invocations that work on a row together: as many as its longest loop has use for.
fn lanes(kernel: &Kernel, target: &Target) -> usize {
    let size = |stage: &Loop| -> usize {
        let sizes = stage.ranges.iter().map(|range| phases::size(range).unwrap_or(64));
        let sizes: Vec<usize> = sizes.collect();
        let results = sizes[..stage.results].iter().product::<usize>();
        if results > 1 { results } else { sizes.last().copied().unwrap_or(1) }
    };
    let most = match &kernel.body {
        Body::Attention(_) => 64,
        Body::Rows { stages, .. } | Body::Scan { stages, .. } => stages
            .iter()
            .map(|stage| match stage {
                Stage::Loop(stage) => size(stage),
                Stage::Product(product) => product.rows * product.columns,
            })
            .max()
            .unwrap_or(1),
    };
    most.next_power_of_two().clamp(32, target.invocations)
}

/// Variables that hold what a body computes more than once.
#[derive(Clone, Debug, Default)]
pub(super) struct Held {
    pub names: Vec<String>,
}

/// A kernel being spelt.
pub(super) struct Spelling<'p> {
    pub program: &'p Program,
    pub kernel: &'p Kernel,
    pub names: Names,
    /// The arguments' names.
    pub arguments: Vec<String>,
    /// The short-lived arrays' names.
    pub scratch: Vec<String>,
    /// Arguments that lie one after the other in one buffer.
    pub parameters: Vec<usize>,
    /// How the arguments lie on the device.
    pub layouts: Vec<Layout>,
    /// For each that lies in several buffers, the function that reads it and the buffers' names.
    pub parts: Vec<Option<(String, Vec<String>)>>,
    places: Vec<ScratchPlace>,
    /// The row of short-lived arrays that lie in buffers.
    pub slot: &'static str,
    /// The variable that has the position.
    pub position: &'static str,
    /// Invocations that work on a row together.
    pub lanes: usize,
    /// Whether reductions over lanes use subgroups.
    pub subgroups: bool,
    /// Matrices that products of many rows are made of.
    pub cooperative: Option<Cooperative>,
    /// Extensions that the module needs.
    pub extensions: BTreeSet<&'static str>,
    pub functions: BTreeSet<Function>,
    /// Reductions over lanes.
    pub lane_functions: BTreeSet<Reduction>,
    pub needs: BTreeSet<Need>,
    /// Tables that are looked up: their names and numbers.
    pub tables: BTreeMap<String, usize>,
    pub held: Held,
    /// Declarations that entries made.
    pub extra: Vec<String>,
}

impl Spelling<'_> {
    /// An element of a short-lived array.
    pub fn scratch_element(&self, number: usize, offset: &Expression) -> Expression {
        let place = match self.places[number] {
            ScratchPlace::Workgroup | ScratchPlace::Register => offset.clone(),
            ScratchPlace::Buffer => {
                Expression::atom(self.slot).times(self.kernel.scratch[number].row as i64).plus(offset)
            }
        };
        Expression::atom(format!("{}[{}]", self.scratch[number], place.text))
    }

    /// The weights and constants that share a buffer, where there are more buffers than an adapter allows: those that are
    /// small, and none of a product's.
    fn merged(&self, target: &Target) -> Vec<usize> {
        let kernel = self.kernel;
        let stored = self.places.iter().filter(|place| **place == ScratchPlace::Buffer).count();
        let bound: usize = self.layouts.iter().map(|layout| layout.parts).sum();
        if 1 + bound + stored <= target.buffers {
            return Vec::new();
        }
        let is_small = |number: &usize| {
            let argument = &kernel.arguments[*number];
            argument.space == Space::Global && argument.row <= PARAMETERS && !of_product(kernel, *number)
        };
        (0..kernel.arguments.len()).filter(is_small).collect()
    }

    /// Names for the buffers of arguments that lie in several.
    fn name_parts(&mut self) {
        for number in 0..self.layouts.len() {
            let count = self.layouts[number].parts;
            if count > 1 && !self.parameters.contains(&number) {
                let name = self.arguments[number].clone();
                let function = self.names.take(&format!("{name}_at"));
                let names = (1..=count).map(|part| self.names.take(&format!("{name}_{part}"))).collect();
                self.parts[number] = Some((function, names));
            }
        }
    }

    /// A place's array, and whether it is in workgroup memory.
    pub fn array(&self, place: Place) -> (String, bool) {
        match place {
            Place::Argument(number) => (self.arguments[number].clone(), false),
            Place::Scratch(number) => (self.scratch[number].clone(), self.places[number] == ScratchPlace::Workgroup),
        }
    }

    /// Whether a place's numbers are kept.
    pub fn is_kept(&self, place: Place) -> bool {
        match place {
            Place::Argument(_) => true,
            Place::Scratch(number) => self.places[number] != ScratchPlace::Register,
        }
    }

    /// The equation as a comment. Four neighbours at once are the processor's way.
    pub fn comment(&self, text: &mut Text, stage: &Loop) {
        let printed = self
            .program
            .print_stage(self.kernel, &Loop { lanes: None, slice: None, recurrence: None, ..stage.clone() });
        printed.lines().for_each(|line| text.line(format!("// {}", line.trim_start())));
    }

    fn entries(&mut self, plan: &Plan) -> (Text, Vec<Phase>) {
        let mut text = Text::default();
        let mut phases = Vec::new();
        let one = |name: String, grid: Grid| Phase { entries: vec![Entry::any(name, grid, plan.steps)] };
        match (&self.kernel.body, plan.form) {
            (Body::Attention(attention), _) => {
                let heads = self.attention(&mut text, attention);
                phases.push(one("attention".to_string(), Grid::Rows(heads)));
            }
            (Body::Scan { backward, stages, .. }, Form::Entries(entries)) => {
                let mut phase = one("scan".to_string(), Grid::Entries { entries, each: ENTRIES });
                if let Some(positions) = &plan.positions {
                    let entry = self.scan_of_positions(&mut text, stages, *backward, entries, positions);
                    phase.entries.insert(0, entry);
                }
                self.scan_of_entries(&mut text, stages, *backward, entries, plan);
                phases.push(phase);
            }
            (Body::Scan { backward, stages, .. }, Form::Sequence) => {
                self.scan_of_sequence(&mut text, stages, *backward, plan);
                phases.push(one("scan".to_string(), Grid::Rows(1)));
            }
            (Body::Scan { .. } | Body::Rows { .. }, _) => {
                let several = plan.works.len() > 1;
                for (number, work) in plan.works.iter().enumerate() {
                    let suffix = if several { format!("_{}", number + 1) } else { String::new() };
                    match work {
                        Work::Stages(stages) => {
                            let name = format!("loops{suffix}");
                            self.stages_of_row(&mut text, &name, stages);
                            phases.push(one(name, Grid::Rows(1)));
                        }
                        Work::Product(product, after) => {
                            phases.push(self.product(&mut text, &suffix, product, after));
                        }
                    }
                }
            }
        }
        (text, phases)
    }

    /// Stages by all lanes, for one row.
    fn stages_of_row(&mut self, text: &mut Text, name: &str, stages: &[&Stage]) {
        let mut body = Text::default();
        for (number, stage) in stages.iter().enumerate() {
            self.stage_by_lanes(&mut body, stage, number + 1 < stages.len());
        }
        let backward = match &self.kernel.body {
            Body::Scan { backward, .. } => Some(*backward),
            Body::Rows { .. } | Body::Attention(_) => None,
        };
        let lines = match backward {
            None => self.row_lines(),
            Some(backward) => self.step_head(backward, "return;"),
        };
        let lanes = self.lanes;
        self.entry(text, name, lanes, |text, spelling| {
            spelling.item(text);
            lines.iter().for_each(|line| text.line(line));
            text.append(&body);
        });
    }

    /// An entry point of one-dimensional workgroups.
    pub fn entry(&mut self, text: &mut Text, name: &str, lanes: usize, body: impl FnOnce(&mut Text, &mut Self)) {
        let mut inside = Text::default();
        body(&mut inside, self);
        let with_subgroups = self.subgroups && inside.lines.contains("_of_all(");
        text.line("");
        text.line(format!("@compute @workgroup_size({lanes})"));
        let ids = "@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) invocation: u32";
        if inside.lines.contains("own_subgroup") {
            text.line(format!("fn {name}(\n  {ids},"));
            text.line(match inside.lines.contains("own_place") {
                true => "  @builtin(subgroup_id) own_subgroup: u32, @builtin(subgroup_invocation_id) own_place: u32",
                false => "  @builtin(subgroup_id) own_subgroup: u32",
            });
            return text.block(")", |text| {
                text.line("let lane = i32(invocation);");
                text.append(&inside);
            });
        }
        if !with_subgroups {
            return text.block(format!("fn {name}({ids})"), |text| {
                text.line("let lane = i32(invocation);");
                text.append(&inside);
            });
        }
        text.line(format!("fn {name}(\n  {ids},"));
        text.line("  @builtin(subgroup_id) own_subgroup: u32, @builtin(num_subgroups) all_subgroups: u32,");
        text.line("  @builtin(subgroup_invocation_id) own_place: u32");
        text.block(")", |text| {
            text.line("let lane = i32(invocation);");
            text.line("subgroup = own_subgroup;\nsubgroups = all_subgroups;\nis_first = own_place == 0u;");
            text.append(&inside);
        });
    }

    /// The row, or the sequence, that a workgroup works on.
    pub fn item(&self, text: &mut Text) {
        let name = if self.slot == "row" { "row" } else { "sequence" };
        text.line(format!("let {name} = run.begin + i32(group.x + {WORKGROUPS}u * group.y);"));
        text.line(format!("if {name} >= run.end {{\n  return;\n}}"));
    }

    /// A stage by all lanes, and a barrier behind it where more follows.
    pub fn stage_by_lanes(&mut self, text: &mut Text, stage: &Stage, more: bool) {
        let target = match stage {
            Stage::Loop(own) => {
                self.loop_stage(text, own, Share::Lanes);
                own.target.place
            }
            Stage::Product(product) => {
                self.product_by_lanes(text, product);
                product.target
            }
        };
        if more {
            let (_, in_workgroup) = self.array(target);
            text.line(if in_workgroup { "workgroupBarrier();" } else { "storageBarrier();" });
        }
    }

    /// The whole module around its entry points.
    fn module(&mut self, number: usize, plan: &Plan, entries: &Text) -> String {
        let kernel = self.kernel;
        let mut text = Text::default();
        if self.layouts.iter().any(|layout| layout.half) {
            self.extensions.insert("f16");
        }
        for extension in &self.extensions {
            text.line(format!("enable {extension};"));
        }
        if !self.extensions.is_empty() {
            text.line("");
        }
        let printed = self.program.print_kernel(number, kernel);
        text.line(format!("// {}", printed.lines().next().unwrap_or_default()));
        text.line(format!("// {}", plan.why));
        text.line("");
        text.block("struct Run", |text| {
            text.line("// rows, or sequences of a scan");
            text.line("begin: i32,\nend: i32,\nstep: i32,");
            text.line("// WGSL has no literal for it");
            text.line("infinity: f32,");
        });
        text.line("");
        text.line("@group(0) @binding(0) var<uniform> run: Run;");
        text.line("@group(0) @binding(1) var<storage, read> tables: array<i32>;");
        let mut binding = 2;
        let mut start = 0;
        let mut starts = Vec::new();
        for (number, (argument, name)) in kernel.arguments.iter().zip(&self.arguments).enumerate() {
            if self.parameters.contains(&number) {
                starts.push(format!("const {}_AT = {start};", name.to_uppercase()));
                start += argument.row;
                continue;
            }
            let access = if argument.written { "read_write" } else { "read" };
            let kind = if self.layouts[number].half { "f16" } else { "f32" };
            for name in self.binding_names(number) {
                text.line(format!("@group(0) @binding({binding}) var<storage, {access}> {name}: array<{kind}>;"));
                binding += 1;
            }
        }
        if !starts.is_empty() {
            text.line(format!("@group(0) @binding({binding}) var<storage, read> parameters: array<f32>;"));
            binding += 1;
            starts.iter().for_each(|line| text.line(line));
        }
        let arrays = || kernel.scratch.iter().zip(&self.scratch).zip(&self.places);
        for ((_, name), _) in arrays().filter(|(_, place)| **place == ScratchPlace::Buffer) {
            text.line(format!("@group(0) @binding({binding}) var<storage, read_write> {name}: array<f32>;"));
            binding += 1;
        }
        for ((scratch, name), _) in arrays().filter(|(_, place)| **place == ScratchPlace::Workgroup) {
            text.line(format!("var<workgroup> {name}: array<f32, {}>;", scratch.row.max(1)));
        }
        self.extra.iter().for_each(|line| text.line(line));
        if !self.tables.is_empty() {
            text.line("\n// where `tables` says where each begins");
            for (name, number) in &self.tables {
                text.line(format!("const {name} = {number};"));
            }
            text.line("\nfn look_up(table: i32, entry: i32) -> i32 {\n  return tables[tables[table] + entry];\n}");
        }
        self.part_functions(&mut text);
        for function in functions::spell(&self.functions) {
            text.line("");
            text.line(function);
        }
        if !self.lane_functions.is_empty() {
            text.line("");
            text.line(self.lane_reductions());
        }
        text.append(entries);
        text.lines
    }
}
