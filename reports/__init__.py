"""Reports: what they say (definitions), their content as typed cells, and the files made of it."""
