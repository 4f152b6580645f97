//! The syntax tree: what stands in a file, with the place of each part. Nothing is resolved yet.

use crate::source::Span;

/// A name and its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// The letters.
    pub text: String,
    /// The place.
    pub span: Span,
}

/// A whole file.
#[derive(Clone, Debug, Default)]
pub struct File {
    /// What it uses: library files by name, others by path.
    pub uses: Vec<Use>,
    /// Axes whose entries have labels.
    pub axes: Vec<LabelledAxis>,
    /// Functions of values, one expression each.
    pub functions: Vec<Function>,
    /// Cells, attention, norms, blocks and models.
    pub definitions: Vec<Definition>,
    /// Tables that bind checkpoints to models.
    pub checkpoints: Vec<Checkpoint>,
}

/// `use cells` or `use "other.seq"`.
#[derive(Clone, Debug)]
pub struct Use {
    /// The library file's name, or the path.
    pub target: Name,
    /// Whether it is a path.
    pub is_path: bool,
}

/// `axis word of "the", "cat"`.
#[derive(Clone, Debug)]
pub struct LabelledAxis {
    /// The axis.
    pub name: Name,
    /// A label for each entry.
    pub labels: Vec<String>,
}

/// `function silu(x) = x * sigmoid(x)`.
#[derive(Clone, Debug)]
pub struct Function {
    /// Its name.
    pub name: Name,
    /// Its values.
    pub parameters: Vec<Name>,
    /// What it is.
    pub body: Expression,
}

/// What a definition calls itself. All mean the same, but a model is where a program starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A recurrent cell.
    Cell,
    /// An attention.
    Attention,
    /// A norm.
    Norm,
    /// A block of layers.
    Block,
    /// A whole model.
    Model,
}

/// `cell GRU(x; size) { … }`.
#[derive(Clone, Debug)]
pub struct Definition {
    /// What it calls itself.
    pub kind: Kind,
    /// Its name.
    pub name: Name,
    /// Values, before the `;`.
    pub parameters: Vec<Parameter>,
    /// Sizes, after it.
    pub sizes: Vec<Size>,
    /// What it gives; its last equation where nothing is said.
    pub results: Vec<Name>,
    /// Its equations.
    pub body: Vec<Statement>,
    /// All of it.
    pub span: Span,
}

/// A value that a definition takes: `x`, `x: [T, dim]`, `tokens: [T] of vocab`.
#[derive(Clone, Debug)]
pub struct Parameter {
    /// Its name.
    pub name: Name,
    /// Its axes, where declared.
    pub axes: Option<Axes>,
    /// For whole numbers: one more than the largest.
    pub of: Option<Expression>,
}

/// `[T, dim]`; an entry may fix a size: `[feature = 2]`.
#[derive(Clone, Debug)]
pub struct Axes {
    /// The axes, outermost first.
    pub entries: Vec<Size>,
    /// With the brackets.
    pub span: Span,
}

/// `heads` or `hidden = 4 * dim`.
#[derive(Clone, Debug)]
pub struct Size {
    /// Its name.
    pub name: Name,
    /// Its value, where given.
    pub value: Option<Expression>,
}

/// One statement of a body.
#[derive(Clone, Debug)]
pub enum Statement {
    /// `state h, c: [size] = 0`.
    State {
        /// The values that are remembered.
        names: Vec<Name>,
        /// Their axes.
        axes: Axes,
        /// Their value before the first position; zero where nothing is said.
        before: Option<Expression>,
    },
    /// `weight slope: [heads]` and `embedding table: [vocab, dim]`.
    Weight {
        /// The weights.
        names: Vec<Name>,
        /// Their axes.
        axes: Axes,
    },
    /// `constant query: [word, feature] = [[1, 2], [3, 4]]`.
    Constant {
        /// Its name.
        name: Name,
        /// Its axes.
        axes: Axes,
        /// Its numbers.
        literal: Literal,
    },
    /// `assert parallel h, lstm.c`.
    Parallel(Vec<Vec<Name>>),
    /// `repeat layer in 0..layers { … }`.
    Repeat {
        /// The counter.
        counter: Name,
        /// Its first value.
        from: Expression,
        /// One past its last.
        to: Expression,
        /// What is repeated.
        body: Vec<Statement>,
    },
    /// `weight[i, j] = softmax over j (score[i, j])`.
    Equation(Equation),
}

/// One equation.
#[derive(Clone, Debug)]
pub struct Equation {
    /// What it gives.
    pub name: Name,
    /// Indices named on the left.
    pub indices: Vec<Index>,
    /// The right side and its condition.
    pub clause: Clause,
}

/// `i` or `k: half`.
#[derive(Clone, Debug)]
pub struct Index {
    /// Its name.
    pub name: Name,
    /// The axis it runs over, where said.
    pub axis: Option<Name>,
}

/// Numbers in nested brackets.
#[derive(Clone, Debug)]
pub struct Literal {
    /// One number or a list.
    pub kind: LiteralKind,
    /// The place.
    pub span: Span,
}

/// A number or a list of literals.
#[derive(Clone, Debug)]
pub enum LiteralKind {
    /// One number.
    Number(f64),
    /// A list.
    List(Vec<Literal>),
}

/// A value that exists where the conditions hold.
#[derive(Clone, Debug)]
pub struct Clause {
    /// The value.
    pub value: Expression,
    /// All must hold.
    pub conditions: Vec<Comparison>,
}

/// `left < right`.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// The left side.
    pub left: Expression,
    /// How they compare.
    pub comparator: Comparator,
    /// The right side.
    pub right: Expression,
}

/// How two numbers compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Comparator {
    /// `<`
    Less,
    /// `<=`
    LessEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterEqual,
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
}

impl Comparator {
    /// Whether two numbers compare so. Nothing compares with what is no number, but that it is not equal.
    pub fn holds(self, left: f64, right: f64) -> bool {
        match self {
            Comparator::Less => left < right,
            Comparator::LessEqual => left <= right,
            Comparator::Greater => left > right,
            Comparator::GreaterEqual => left >= right,
            Comparator::Equal => left == right,
            Comparator::NotEqual => left != right,
        }
    }

    /// As written.
    pub fn symbol(self) -> &'static str {
        match self {
            Comparator::Less => "<",
            Comparator::LessEqual => "<=",
            Comparator::Greater => ">",
            Comparator::GreaterEqual => ">=",
            Comparator::Equal => "==",
            Comparator::NotEqual => "!=",
        }
    }
}

/// An expression and its place.
#[derive(Clone, Debug)]
pub struct Expression {
    /// What it is.
    pub kind: ExpressionKind,
    /// The place.
    pub span: Span,
}

/// The forms of expressions.
#[derive(Clone, Debug)]
pub enum ExpressionKind {
    /// `0.5`
    Number(f64),
    /// `x`, `lstm.c`
    Path(Vec<Name>),
    /// `-x`
    Negate(Box<Expression>),
    /// `a + b`
    Binary(Operator, Box<Expression>, Box<Expression>),
    /// `x[t - 1, k]`
    Subscript(Box<Expression>, Vec<Expression>),
    /// `softmax over j (score[i, j])`
    Call(Box<Call>),
    /// `a < b and b < c`, the first argument of `select`.
    Condition(Vec<Comparison>),
    /// A parenthesis with a condition of its own: `(score[i, j] where j <= i)`.
    Where(Box<Clause>),
}

/// Arithmetic between two values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Operator {
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
    /// `/`
    Divide,
    /// `%`: what is left of a division rounded down.
    Remainder,
    /// `^`
    Power,
}

/// `backward LSTM over dim (x; size)`.
#[derive(Clone, Debug)]
pub struct Call {
    /// Whether time runs the other way inside.
    pub backward: bool,
    /// The function, definition or reduction.
    pub name: Name,
    /// What it runs over.
    pub over: Vec<Index>,
    /// Values.
    pub arguments: Vec<Clause>,
    /// Sizes.
    pub sizes: Vec<Size>,
}

/// `checkpoint GPT2 { … }`, or `checkpoint GPT2 of gguf { … }`.
#[derive(Clone, Debug)]
pub struct Checkpoint {
    /// The model it is for.
    pub model: Name,
    /// The file format that it is for; every one that has no table of its own where none is named.
    pub format: Option<Name>,
    /// Its lines.
    pub entries: Vec<Entry>,
}

/// One line of a checkpoint table.
#[derive(Clone, Debug)]
pub enum Entry {
    /// `prefix "transformer." optional`
    Prefix {
        /// What tensor names begin with.
        text: Name,
        /// Whether a file may do without.
        optional: bool,
    },
    /// `ignore "*.attn.bias"`
    Ignore(Vec<Name>),
    /// `require config.hidden_act is "gelu" or "gelu_python"`
    Require {
        /// The path in `config.json`.
        path: Vec<Name>,
        /// What may stand there.
        alternatives: Vec<Alternative>,
    },
    /// `repeat layer { … }`
    Layers {
        /// The counter of the model's own `repeat`.
        counter: Name,
        /// Lines for each layer.
        entries: Vec<Entry>,
    },
    /// `heads = config.n_head or 12`
    Setting {
        /// The model's parameter.
        name: Name,
        /// What is tried in turn.
        alternatives: Vec<Expression>,
    },
    /// `"c_attn.weight" = transpose(stack(q, k, v))`
    Binding {
        /// Tensors of the file; their sum is meant.
        sources: Vec<TableSource>,
        /// How they are made of weights.
        formula: Expression,
    },
}

/// What a `require` accepts.
#[derive(Clone, Debug)]
pub enum Alternative {
    /// A text.
    Text(String),
    /// A number.
    Number(f64),
    /// `true`, `false` or `null`.
    Word(Name),
}

/// `"lm_head.weight" | "wte.weight"` or `"bias_hh"[0 .. 2 * size]`.
#[derive(Clone, Debug)]
pub struct TableSource {
    /// Names that a file may have for it; the first that is there is taken.
    pub names: Vec<Name>,
    /// Rows, where not all are meant.
    pub rows: Option<(Option<Expression>, Option<Expression>)>,
    /// The place.
    pub span: Span,
}
