//! What became of equations on the way: building and each pass note it, so that it can be explained afterwards.
//!
//! Equations are named by their paths, which are unique (law 8 of the verifier) and which no pass changes; numbers change
//! when dead equations are dropped. The history says nothing of what a program computes, and no pass reads it.

/// What became of an equation.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A part of an equation became a value of its own.
    TakenOut {
        /// The part.
        part: String,
        /// The equation.
        of: String,
    },
    /// The part of a recurrence's equation that is free of the state moved out of the time loop.
    Hoisted {
        /// The part.
        part: String,
        /// The equation.
        of: String,
    },
    /// Whoever read it reads another value, which it was no more than another name of.
    Renamed {
        /// The equation.
        value: String,
        /// The other value.
        to: String,
    },
    /// It computes the same as another.
    Merged {
        /// The equation.
        value: String,
        /// The other, which stays.
        with: String,
    },
    /// It was put into an equation that reads it.
    Inlined {
        /// The equation.
        value: String,
        /// The reader.
        into: String,
    },
    /// It was not put into an equation that reads it.
    Stayed {
        /// The equation.
        value: String,
        /// The reader.
        reader: String,
        /// Why.
        why: Stays,
    },
    /// It is a softmax, and was taken apart into a largest score, exponentials, their sum and a quotient.
    TakenApart {
        /// The equation.
        value: String,
    },
    /// No output depends on it any more.
    Dropped {
        /// The equation.
        value: String,
    },
}

/// Why an equation is not put into one that reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stays {
    /// It is a reduction, a softmax, or joins pieces: only what is pointwise disappears into others.
    NotPointwise,
    /// It is asked for.
    Output,
    /// It is a state's value before the first position.
    BeforeFirst,
    /// It is a state.
    State,
    /// It is absent at places where the reader is not.
    Absent,
    /// It is computed outside of the recurrence that reads it, for all positions at once.
    OutsideRecurrence,
    /// It is read at another place than the reader's own.
    OtherPlace,
    /// It is read so often, and costs so many operations and reads, that computing it anew each time is not worth it.
    Costly {
        /// How often it is read.
        reads: usize,
        /// What it costs.
        operations: usize,
    },
    /// The reader would become too large.
    TooLarge,
    /// The reader would compute it anew for each entry of an axis that it does not have.
    Repeated,
    /// It has a function that is computed on whole runs of numbers, and the reader reduces.
    RunFunction,
    /// It has such a function, and says where something is read or what a reduction runs over.
    Place,
}
