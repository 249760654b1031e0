"""The system under test: five small services that sell seats, and the kit that they share."""
