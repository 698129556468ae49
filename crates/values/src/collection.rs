//! What the five types with elements have in common: packed bytes while they are small, tables when
//! they are large.
//!
//! Packed bytes lie in the entry itself, beside the key; they are read in place and copied out to be
//! changed, which for a few kilobytes is cheaper than a second allocation. The large form is boxed.

use crate::{Kind, Object};

/// A value with elements.
pub trait Collection: Default + 'static {
    /// Its type.
    const KIND: Kind;
    /// A view for reading: of packed bytes in place, or of the boxed form.
    type Ref<'a>: Copy;
    /// Views packed bytes that lie in an entry; `form` as `packed` gave it.
    fn view(form: u8, bytes: &[u8]) -> Self::Ref<'_>;
    /// Views this value.
    fn as_ref(&self) -> Self::Ref<'_>;
    /// Takes packed bytes out of an entry, to be changed. O(bytes).
    fn unpack(form: u8, bytes: &[u8]) -> Self;
    /// The packed form, if it is packed: a form number and the bytes.
    fn packed(&self) -> Option<(u8, &[u8])>;
    /// Whether its key is to go.
    fn is_empty(&self) -> bool;
    /// Boxes it. This and the two that follow come from [`in_object`].
    fn into_object(self) -> Object;
    /// The value in `object`, if it is of this type.
    fn of(object: &Object) -> Option<&Self>;
    /// The value in `object`, to be changed, if it is of this type.
    fn of_mut(object: &mut Object) -> Option<&mut Self>;
}

/// The way of a collection into a boxed [`Object`] of the variant of its name, and back: the last three
/// functions of [`Collection`].
macro_rules! in_object {
    ($name:ident) => {
        fn into_object(self) -> Object {
            Object::$name(self.into())
        }

        fn of(object: &Object) -> Option<&$name> {
            match object {
                Object::$name(value) => Some(value),
                _ => None,
            }
        }

        fn of_mut(object: &mut Object) -> Option<&mut $name> {
            match object {
                Object::$name(value) => Some(value),
                _ => None,
            }
        }
    };
}
pub(crate) use in_object;
