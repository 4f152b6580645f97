//! The kinds of mistakes, each with a number that stays the same.

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $name:ident = $number:literal,)+) => {
        /// A kind of mistake. Its number is printed and never given to another kind.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Code {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Code {
            /// Every kind.
            pub const ALL: &[Code] = &[$(Code::$name),+];

            /// As printed: `E0101`.
            pub fn number(self) -> &'static str {
                match self {
                    $(Code::$name => $number,)+
                }
            }

            /// What the kind is, in a sentence or two.
            pub fn explanation(self) -> &'static str {
                match self {
                    $(Code::$name => concat!($($doc, "\n"),+),)+
                }
            }
        }
    };
}

codes! {
    /// The text is not a .seq file: something else was expected at this place.
    Syntax = "E0101",
    /// Brackets or operators are nested deeper than any model needs.
    Nesting = "E0102",
    /// A file that is used could not be read, or uses itself.
    Use = "E0103",
    /// A name that nothing in reach has.
    UnknownName = "E0201",
    /// A name that is given twice in the same place.
    DefinedTwice = "E0202",
    /// A value that is read above the equation that gives it.
    ReadBeforeDefined = "E0203",
    /// A name that stands for something else than is wanted here: a size where a value is wanted, and so on.
    WrongKind = "E0204",
    /// An equation that refers to an earlier or later position of itself, but is not a `state`.
    NoState = "E0301",
    /// A `state` that no equation gives a value.
    StateWithoutEquation = "E0302",
    /// A value that depends on itself at the same position, or on both earlier and later positions of itself.
    Circular = "E0303",
    /// A recurrence that is asserted to be parallel, and is not affine in its state, element by element.
    NotParallel = "E0304",
    /// Two values whose axes do not meet.
    Axes = "E0401",
    /// One axis with two sizes.
    AxisSize = "E0402",
    /// A value with the wrong number of indices, or an index where none can stand.
    Indices = "E0403",
    /// An index whose range cannot be found.
    IndexRange = "E0404",
    /// A size that is not a whole number above zero.
    Size = "E0405",
    /// A parameter without a value.
    MissingParameter = "E0406",
    /// A definition or function with too few, too many or misnamed values or sizes.
    Arguments = "E0407",
    /// A literal whose nesting or length is not that of its axes.
    Literal = "E0408",
    /// An equation that would need two names for its weights.
    TwoWeights = "E0501",
    /// Two weights of the same name.
    SameWeight = "E0502",
    /// A checkpoint table that leaves a weight out, binds it twice or cannot be read both ways.
    Table = "E0601",
    /// A checkpoint whose `config.json` is not what its table asks for.
    Config = "E0602",
    /// A checkpoint whose tensors are not those that its table, or the model, asks for.
    Checkpoint = "E0603",
    /// A condition that is not a comparison, or stands where none can stand.
    Condition = "E0701",
    /// Something that is part of the language but that this version can't do.
    Unsupported = "E0801",
    /// A model that unrolls into more equations than any machine should hold.
    TooLarge = "E0802",
    /// A model that can't run position by position, or chunk by chunk: something looks ahead without a bound.
    NoStep = "E0901",
}
