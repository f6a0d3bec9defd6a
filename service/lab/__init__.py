"""What a call does, on arrays and structs: no Flask and no JSON, so that training and batch scoring may use it."""
