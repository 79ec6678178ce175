"""What stands between the code of a build and the rest of the machine: a PEP 578 audit hook.

`safesite.guard` executes the files of this folder in namespaces of their own, with builtins of
their own, in each process of a build, before any code of the package has run.  No module holds
these namespaces afterwards, and nothing in them calls what a package could replace: only builtin
functions, bound before, and one another.

``hook`` has the table of the events and puts all in place; ``paths``, ``network`` and ``programs``
say what is plainly a build's own affair; for the rest ``build`` asks `safesite.broker`, in another
process.  Native code can go round all of it.
"""
