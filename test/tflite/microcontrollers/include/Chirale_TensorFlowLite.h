// The Arduino library's own header has nothing that a sketch calls.
