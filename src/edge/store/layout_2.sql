-- Who wrote the commit that asked for a change, in their own words; none for
-- what is not read from a commit, and for rows of layout 1.
ALTER TABLE history ADD COLUMN author TEXT;
