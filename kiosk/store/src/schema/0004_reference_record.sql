-- Which record a reference came with; unknown for those that were kept before. A view that joined by itself is taken out
-- again by it.
ALTER TABLE reference ADD COLUMN record BLOB CHECK (length(record) = 16);
