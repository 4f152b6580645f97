//! A table against the tensors of a file: every tensor found, of the right shape, and read once.
//!
//! In: the table, the model, and the names and shapes that the file has. Out: which tensor each line
//! reads. All that does not fit is told at once; the same mistake of one line in many layers is one.

use super::audit::listed;
use super::region::product;
use super::shape::same_order;
use super::{Binding, Table, TensorRows};
use crate::diagnostic::{Code, Diagnostic, nearest};
use crate::model::{Model, print_axes};
use crate::source::Span;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::Range;

/// The tensors of a file: their shapes by their names.
pub type Shapes = BTreeMap<String, Vec<usize>>;

/// Which tensors a table reads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fit {
    /// In the order of the table's bindings and their sources.
    pub reads: Vec<Read>,
}

/// A source of a binding, and the tensor that it reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read {
    /// The binding, by its place in [`Table::bindings`].
    pub binding: usize,
    /// The source, by its place in [`Binding::sources`].
    pub source: usize,
    /// The tensor's name in the file.
    pub tensor: String,
    /// Its elements that are meant.
    pub elements: Range<usize>,
    /// Whether the name is not the first that the table gives: another line may read it as well.
    pub instead: bool,
}

/// Finds the tensor of every source.
///
/// # Errors
/// Tensors that the file lacks, whose shape is another, whose rows are read twice or not at all, and
/// tensors of the file that nobody reads or ignores.
pub fn fit(table: &Table, model: &Model, file: &Shapes) -> Result<Fit, Vec<Diagnostic>> {
    let mut fitting = Fitting { table, model, file, faults: Faults::default() };
    let reads = fitting.find();
    fitting.shapes(&reads);
    fitting.unread(&reads);
    let faults = fitting.faults.finish();
    if faults.is_empty() { Ok(Fit { reads }) } else { Err(faults) }
}

/// The kinds of mistakes: of each, a line of the table makes one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Fault {
    Missing,
    Shape,
    Twice,
    Unread,
}

#[derive(Default)]
struct Faults {
    places: HashMap<(Fault, Span), usize>,
    all: Vec<(Diagnostic, usize)>,
}

impl Faults {
    fn add(&mut self, fault: Fault, span: Span, diagnostic: impl FnOnce() -> Diagnostic) {
        match self.places.get(&(fault, span)) {
            Some(place) => self.all[*place].1 += 1,
            None => {
                self.places.insert((fault, span), self.all.len());
                self.all.push((diagnostic(), 0));
            }
        }
    }

    fn finish(self) -> Vec<Diagnostic> {
        let told = |(mut diagnostic, more): (Diagnostic, usize)| {
            if more > 0 {
                let tensors = if more == 1 { "tensor" } else { "tensors" };
                diagnostic.message += &format!(" (and so for {more} more {tensors} of this line)");
            }
            diagnostic
        };
        self.all.into_iter().map(told).collect()
    }
}

struct Fitting<'a> {
    table: &'a Table,
    model: &'a Model,
    file: &'a Shapes,
    faults: Faults,
}

impl<'a> Fitting<'a> {
    fn find(&mut self) -> Vec<Read> {
        let mut reads = Vec::new();
        for (place, binding) in self.table.bindings.iter().enumerate() {
            let (rows, columns) = (binding.matrix.rows(), binding.matrix.columns());
            for (number, source) in binding.sources.iter().enumerate() {
                match find(self.table, self.file, source) {
                    Some((tensor, instead)) => {
                        let rows = source.rows(rows);
                        let element = |row: usize| row.saturating_mul(columns);
                        reads.push(Read {
                            binding: place,
                            source: number,
                            tensor,
                            elements: element(rows.start)..element(rows.end),
                            instead,
                        });
                    }
                    None => self.missing(binding, source),
                }
            }
        }
        reads
    }

    fn missing(&mut self, binding: &Binding, source: &TensorRows) {
        let (table, model, file) = (self.table, self.model, self.file);
        self.faults.add(Fault::Missing, source.span, || {
            let names: Vec<String> = source.names.iter().flat_map(|name| table.candidates(name)).collect();
            let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
            let message = format!("the checkpoint has no tensor {}", quoted.join(" or "));
            let mut diagnostic = Diagnostic::new(Code::Checkpoint, source.span, message);
            if !table.identity {
                diagnostic = diagnostic.label(format!("needed for {}", weights_of(model, binding)));
            }
            let near = names.iter().find_map(|name| nearest(name, file.keys().map(String::as_str)));
            match near {
                Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
                None if table.identity => diagnostic.label("the weight of this equation").help(format!(
                    "without a table, tensors are called as the weights; `checkpoint {} {{ … }}` says otherwise",
                    table.model
                )),
                None => diagnostic,
            }
        });
    }

    /// Whether each tensor has the shape that its lines give it, and each of its rows is read once.
    fn shapes(&mut self, reads: &[Read]) {
        let mut by_tensor: BTreeMap<&str, Vec<&Read>> = BTreeMap::new();
        for read in reads {
            by_tensor.entry(&read.tensor).or_default().push(read);
        }
        for (tensor, mut reads) in by_tensor {
            let Some(shape) = self.file.get(tensor) else {
                continue;
            };
            reads.sort_by_key(|read| (read.elements.start, read.elements.end));
            let own: Vec<&Read> = reads.iter().copied().filter(|read| !read.instead).collect();
            let parts = if own.is_empty() { &reads } else { &own };
            // A line may read what another one has, for want of a tensor of its own.
            let guests = reads.iter().filter(|read| read.instead && !own.is_empty());
            for read in guests {
                let whole = self.source(read).first_row.is_none();
                if whole {
                    self.shape(tensor, shape, read, None);
                } else if read.elements.end > product(shape) {
                    let columns = self.table.bindings[read.binding].matrix.columns();
                    self.shape(tensor, shape, read, Some(read.elements.end / columns.max(1)));
                }
            }
            self.parts(tensor, shape, parts, own.is_empty());
        }
    }

    /// Rows that several lines read in turn, or a single one in part.
    fn parts(&mut self, tensor: &str, shape: &[usize], parts: &[&Read], shared: bool) {
        let Some(last) = parts.iter().max_by_key(|read| read.elements.end) else {
            return;
        };
        let mut reached = 0;
        for read in parts {
            let span = self.source(read).span;
            if read.elements.start < reached && !shared {
                self.faults.add(Fault::Twice, span, || {
                    let message = format!("rows of the tensor `{tensor}` are read twice");
                    Diagnostic::new(Code::Checkpoint, span, message).label("another line reads them too")
                });
                return;
            }
            if read.elements.start > reached {
                self.faults.add(Fault::Unread, span, || {
                    let message = format!("the rows of the tensor `{tensor}` before these are not read");
                    Diagnostic::new(Code::Checkpoint, span, message)
                });
                return;
            }
            reached = reached.max(read.elements.end);
        }
        let matrix = &self.table.bindings[last.binding].matrix;
        self.shape(tensor, shape, last, Some(last.elements.end / matrix.columns().max(1)));
    }

    /// Compares a tensor's shape with that of the matrix, or with so many rows of it.
    fn shape(&mut self, tensor: &str, shape: &[usize], read: &Read, rows: Option<usize>) {
        let (model, binding) = (self.model, &self.table.bindings[read.binding]);
        let source = self.source(read);
        let wanted = match rows {
            Some(rows) if source.first_row.is_some() => {
                std::iter::once(rows).chain(binding.matrix.column_axes.iter().copied()).collect()
            }
            Some(_) | None => binding.matrix.axes(),
        };
        if same_order(&wanted, shape) {
            return;
        }
        self.faults.add(Fault::Shape, source.span, || {
            let flat = plain(&wanted, &binding.matrix.row_axes, rows, source.first_row.is_some());
            let message = format!("the tensor `{tensor}` is {shape:?}; {flat:?} is wanted here");
            let mut diagnostic = Diagnostic::new(Code::Checkpoint, source.span, message)
                .also(binding.span, format!("made of {}", weights_of(model, binding)));
            let turned: Vec<usize> = flat.iter().rev().copied().collect();
            if flat.len() == 2 && same_order(&turned, shape) {
                diagnostic = diagnostic.help("the file has it the other way round: `transpose(…)`");
            }
            diagnostic
        });
    }

    fn unread(&mut self, reads: &[Read]) {
        let read: HashSet<&str> = reads.iter().map(|read| read.tensor.as_str()).collect();
        let table = self.table;
        let names = self.file.keys().map(String::as_str);
        let left: Vec<&str> = names.filter(|name| !read.contains(name) && !table.ignores(name)).collect();
        let Some(first) = left.first() else { return };
        self.faults.add(Fault::Unread, table.span, || {
            let names = listed(left.iter().copied());
            let message = match left.len() {
                1 => format!("nothing reads the tensor {names} of the checkpoint"),
                count => format!("nothing reads {count} tensors of the checkpoint: {names}"),
            };
            let help = if table.identity {
                format!("add a table: `checkpoint {} {{ … ignore \"{first}\" }}`", table.model)
            } else {
                format!("if the model does without, add `ignore \"{first}\"`; `*` stands for anything")
            };
            Diagnostic::new(Code::Checkpoint, table.span, message).help(help)
        });
    }

    fn source(&self, read: &Read) -> &'a TensorRows {
        &self.table.bindings[read.binding].sources[read.source]
    }
}

/// The tensor that a source means in a file, and whether by another name than its first.
pub(super) fn find(table: &Table, file: &Shapes, source: &TensorRows) -> Option<(String, bool)> {
    source.names.iter().enumerate().find_map(|(place, name)| {
        let there = table.candidates(name).into_iter().find(|name| file.contains_key(name));
        there.map(|name| (name, place > 0))
    })
}

/// A wanted shape with the axes of its rows and of its columns merged, as most files have it.
fn plain(wanted: &[usize], row_axes: &[usize], rows: Option<usize>, partial: bool) -> Vec<usize> {
    let split = if partial { 1 } else { row_axes.len() };
    let (row_axes, column_axes) = wanted.split_at(split.min(wanted.len()));
    let count = rows.filter(|_| partial).unwrap_or(product(row_axes));
    if column_axes.is_empty() { vec![count] } else { vec![count, product(column_axes)] }
}

/// The weights of a binding with their axes.
fn weights_of(model: &Model, binding: &Binding) -> String {
    let named: Vec<String> = binding
        .matrix
        .regions
        .iter()
        .map(|region| {
            let value = model.value(region.weight);
            format!("`{}` {}", value.path, print_axes(&value.axes, &model.times)).trim_end().to_string()
        })
        .collect();
    named.join(", ")
}

#[cfg(test)]
#[path = "fit_tests.rs"]
mod tests;
