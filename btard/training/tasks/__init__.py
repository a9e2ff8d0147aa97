"""The tasks that come with the library, each a module that is imported only when it is asked for."""
