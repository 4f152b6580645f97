//! The kinds of steps that random models are made of: a run of tests says which of them came.

/// What a step adds to a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// `affine`, `linear` or `dot` with one weight.
    Product,
    /// Several products of one operand.
    SharedOperand,
    /// A product of several values.
    SeveralOperands,
    /// A product over one of several axes.
    ProductOver,
    /// Functions and arithmetic.
    Elementwise,
    /// Sum, mean, max or min over features.
    Reduction,
    /// A norm of the library, or written out.
    Norm,
    /// A softmax over features.
    Softmax,
    /// `dot` or `outer` of two values.
    TwoValues,
    /// Joining, stacking and flattening.
    Join,
    /// Other entries of an axis.
    Entries,
    /// A table looked up by token, position or a computed place.
    Lookup,
    /// A recurrence with a product at each step.
    Recurrence,
    /// One with gates and several states.
    Gated,
    /// One that is no function of its last position alone.
    Lagged,
    /// One without products that is not affine.
    Nonlinear,
    /// One that is affine in its state, element by element.
    Affine,
    /// One from the last position to the first.
    Backward,
    /// A cell of the library.
    Cell,
    /// An attention along one axis.
    Attention,
    /// One whose queries come along another axis than its keys.
    CrossAttention,
    /// One with a condition on which keys are seen.
    MaskedAttention,
    /// One with several heads that share keys.
    GroupedAttention,
    /// A convolution over positions.
    Convolution,
    /// Earlier and later positions.
    Shift,
    /// One number for a whole sequence.
    SequenceWide,
    /// The last positions, or others that are fixed.
    FixedPosition,
    /// Sums over a range of positions that follows the current one.
    Running,
    /// Weights along an axis of known length.
    Mixing,
    /// Layers that `repeat` writes out.
    Repeat,
    /// A value of each layer along an axis.
    Gathered,
    /// A definition of the model's own, used several times.
    Definition,
    /// Several layers in one step of a recurrence.
    Highway,
    /// Attention in each step of a recurrence.
    AttentionInside,
    /// A recurrence of sums in logarithms.
    LogSum,
    /// A recurrence of exponentials that are kept small by the largest so far.
    RunningExponent,
    /// A memory of keys and values.
    Memory,
    /// A block of the library.
    Library,
    /// A convolution whose result has half as many positions.
    Strided,
    /// Every position of half as many, twice.
    Stretched,
    /// Numbers that stand in the file.
    Constant,
    /// Products that are weighed by a softmax.
    Experts,
    /// Entries turned by their position.
    Rotary,
    /// A result over pairs of positions.
    Pairs,
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 44] = [
        Kind::Product,
        Kind::SharedOperand,
        Kind::SeveralOperands,
        Kind::ProductOver,
        Kind::Elementwise,
        Kind::Reduction,
        Kind::Norm,
        Kind::Softmax,
        Kind::TwoValues,
        Kind::Join,
        Kind::Entries,
        Kind::Lookup,
        Kind::Recurrence,
        Kind::Gated,
        Kind::Lagged,
        Kind::Nonlinear,
        Kind::Affine,
        Kind::Backward,
        Kind::Cell,
        Kind::Attention,
        Kind::CrossAttention,
        Kind::MaskedAttention,
        Kind::GroupedAttention,
        Kind::Convolution,
        Kind::Shift,
        Kind::SequenceWide,
        Kind::FixedPosition,
        Kind::Running,
        Kind::Mixing,
        Kind::Repeat,
        Kind::Gathered,
        Kind::Definition,
        Kind::Highway,
        Kind::AttentionInside,
        Kind::LogSum,
        Kind::RunningExponent,
        Kind::Memory,
        Kind::Library,
        Kind::Strided,
        Kind::Stretched,
        Kind::Constant,
        Kind::Experts,
        Kind::Rotary,
        Kind::Pairs,
    ];
}
