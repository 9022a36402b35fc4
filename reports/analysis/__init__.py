"""What a study says, as numbers and sentences, without a figure."""
