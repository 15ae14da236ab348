"""How programs reach Tocsin: one file per protocol, over one application."""
