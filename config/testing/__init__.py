"""What tests share: databases, people, processes."""
