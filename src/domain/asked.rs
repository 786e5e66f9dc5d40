//! What a request asks for that nobody holds.

/// What a request asks for that Weir passes on, as far as that was found in its body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// The model.
    pub model: Option<Box<str>>,
    /// The size of the images.
    pub image_size: Option<Box<str>>,
    /// Characters of the text to be spoken.
    pub characters: Option<u64>,
}
