//! Data sources, one file per format; the content decides, not the extension.
