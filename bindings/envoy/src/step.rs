//! How far a judgement has come without anything from outside.

use hostbound::{NeedsBody, NeedsIntrospection, NeedsKeys, Verdict};

/// What a judgement has come to.
pub(crate) enum Step<'a> {
    Decided(Verdict<'a>),
    Body(Box<NeedsBody<'a>>),
    Keys(Box<NeedsKeys<'a>>),
    Introspection(Box<NeedsIntrospection<'a>>),
    /// This filter does not know what is asked.
    Unknown,
}
