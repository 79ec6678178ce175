"""Tests that 'site' refuses startup code unless it is allowed."""

import _imp
import builtins
import os
import site
import sys
import textwrap
import unittest
import warnings
from test.support import captured_stderr, os_helper
from test.support.script_helper import assert_python_ok
from unittest import mock

import _safesite

# Where it is not, a file on PYTHONPATH could take the place of either module, but of site too.
SITE_IS_FROZEN = hasattr(_imp, "find_frozen") and _imp.is_frozen("site")


class SiteDirectory(unittest.TestCase):
    """A test in which a site directory with startup code is added to sys.path."""

    marker = "startup_code_has_run"

    def setUp(self):
        temporary = os_helper.temp_dir()
        self.folder = os.path.realpath(temporary.__enter__())
        self.addCleanup(temporary.__exit__, None, None, None)
        for attribute, value in (
            ("refused", {}),
            ("printed", 0),
            ("reported", 0),
            ("hinted", True),
        ):
            self.patch(attribute, value)
        self.addCleanup(sys.path.__setitem__, slice(None), sys.path[:])
        self.addCleanup(vars(builtins).pop, self.marker, None)
        os.mkdir(os.path.join(self.folder, "entry"))
        self.write("code.pth", f"entry\nimport builtins; builtins.{self.marker} = True\n")

    def patch(self, attribute, value):
        patcher = mock.patch.object(site._safesite(), attribute, value)
        patcher.start()
        self.addCleanup(patcher.stop)

    def write(self, name, text):
        with open(os.path.join(self.folder, name), "w", encoding="utf-8") as file:
            file.write(text)

    def add(self, mode):
        """Add the site directory in a mode; return whether its code ran, and what was printed."""
        self.patch("mode", mode)
        with captured_stderr() as stderr, warnings.catch_warnings(record=True) as caught:
            site.addsitedir(self.folder)
        text = stderr.getvalue() + "".join(str(warning.message) for warning in caught)
        return hasattr(builtins, self.marker), text

    def added(self):
        return os.path.join(self.folder, "entry") in sys.path


class ModeTests(SiteDirectory):
    def test_refuse(self):
        ran, text = self.add("refuse")
        self.assertFalse(ran)
        self.assertTrue(self.added())
        self.assertIn(os.path.join(self.folder, "code.pth") + ":2: refused import line", text)

    def test_quiet(self):
        self.assertEqual(self.add("quiet"), (False, ""))
        self.assertTrue(self.added())

    def test_warn(self):
        ran, text = self.add("warn")
        self.assertTrue(ran)
        self.assertTrue(text.startswith("startup code: import line"), text)

    def test_allow(self):
        self.assertEqual(self.add("allow"), (True, ""))
        self.assertTrue(self.added())

    def test_skip(self):
        self.assertEqual(self.add("skip"), (False, ""))
        self.assertFalse(self.added())

    def test_refusals_are_noted_with_their_place(self):
        self.add("quiet")
        (line,) = site._safesite().refused.values()
        self.assertEqual((os.path.basename(line.file), line.line), ("code.pth", 2))

    def test_addpackage(self):
        self.patch("mode", "quiet")
        site.addpackage(self.folder, "code.pth", set())
        self.assertFalse(hasattr(builtins, self.marker))
        self.assertTrue(self.added())

    def set_policy(self, text):
        """Have a policy count, without a file: it would have to lie in a place like /etc."""
        policy = site._safesite().part("keep").Policy("/etc/safesite/policy", text.encode(), [])
        self.patch("policies", [policy])

    def pin(self, line):
        try:
            return site._safesite().part("pins").line_digest(line)
        except ImportError as exc:  # while it is built it lies elsewhere
            self.skipTest(str(exc))

    def test_policy_allows(self):
        pin = self.pin(f"import builtins; builtins.{self.marker} = True")
        self.set_policy(f"allow code.pth line={pin} builtins=library")
        self.assertEqual(self.add("refuse"), (True, ""))
        self.assertTrue(self.added())

    def test_policy_allows_no_other_line(self):
        self.set_policy(f"allow code.pth line={self.pin('import builtins')} builtins=library")
        ran, text = self.add("refuse")
        self.assertFalse(ran)
        self.assertIn("not the line that was allowed (withdrawn)", text)

    def test_policy_denies(self):
        self.set_policy("deny code.pth")
        for mode in "refuse", "warn":
            with self.subTest(mode=mode):
                self.assertEqual(self.add(mode), (False, ""))
                self.assertTrue(self.added())

    def test_a_line_that_waits_for_a_variable_is_passed_over(self):
        line = "import os; exec(\'try: __import__(\"coloredlogs\").auto_install() if os.environ"
        line += ".get(\"COLOREDLOGS_AUTO_INSTALL\") else None\\nexcept ImportError: pass\')\n"
        self.write("code.pth", line)
        with os_helper.EnvironmentVarGuard() as environ:
            environ.unset("COLOREDLOGS_AUTO_INSTALL")
            self.assertEqual(self.add("refuse")[1], "")
            environ["COLOREDLOGS_AUTO_INSTALL"] = "1"
            self.assertIn("COLOREDLOGS_AUTO_INSTALL is set", self.add("refuse")[1])

    @unittest.skipUnless(hasattr(site, "StartupState"), "entry points are new in 3.15")
    def test_entry_point(self):
        self.write("code.start", "os:getcwd\n")
        ran, text = self.add("refuse")
        self.assertFalse(ran)
        self.assertIn("code.start:1: refused entry point: 'os:getcwd'", text)
        self.assertNotIn("code.pth", text)  # suppressed by code.start

    def test_default_mode_is_a_mode(self):
        self.assertIn(site._DEFAULT_MODE, _safesite.MODES)


class ChildTests(unittest.TestCase):
    """What a new interpreter does by itself."""

    def setUp(self):
        temporary = os_helper.temp_dir()
        self.folder = os.path.realpath(temporary.__enter__())
        self.addCleanup(temporary.__exit__, None, None, None)

    def write(self, name, text):
        with open(os.path.join(self.folder, name), "w", encoding="utf-8") as file:
            file.write(text)

    def run_python(self, *options, code="pass", **environ):
        _, out, err = assert_python_ok(
            *options, "-c", code, PYTHONPATH=self.folder, **environ, **{"__isolated": False}
        )
        return out.decode().strip(), err.decode().strip()

    def test_sitecustomize_on_pythonpath(self):
        self.write("sitecustomize.py", "print('ran')")
        out, err = self.run_python(SAFESITE_MODE="refuse")
        self.assertEqual(out, "")
        self.assertIn("refused customize module: 'sitecustomize'", err)
        self.assertEqual(self.run_python(SAFESITE_MODE="allow"), ("ran", ""))

    def test_unknown_mode_refuses(self):
        self.write("sitecustomize.py", "print('ran')")
        out, err = self.run_python(SAFESITE_MODE="Allow")
        self.assertEqual(out, "")
        self.assertIn("unknown mode 'Allow'", err)

    def test_the_environment_is_ignored_with_the_other_variables(self):
        self.write("sitecustomize.py", "print('ran')")
        for option in ("-E", "-I"):
            with self.subTest(option=option):
                out, _ = self.run_python(option, SAFESITE_MODE="allow")
                self.assertEqual(out, "")

    def test_a_program_cannot_change_the_mode(self):
        code = (
            "import os, site; os.environ['SAFESITE_MODE'] = 'allow'; print(site._safesite().mode)"
        )
        self.assertEqual(self.run_python(code=code, SAFESITE_MODE="quiet")[0], "quiet")

    def test_the_helper_of_an_editable_install_runs_when_it_is_needed(self):
        self.write("a.pth", "import _editable_impl_spam\n")
        self.write(
            "_editable_impl_spam.py",
            textwrap.dedent("""
            import sys
            from importlib.machinery import PathFinder

            class F:
                @classmethod
                def map_module(cls, name, path):
                    cls.name, cls.path = name, path
                    sys.meta_path.append(cls)

                @classmethod
                def find_spec(cls, name, path=None, target=None):
                    return PathFinder.find_spec(name, [cls.path]) if name == cls.name else None

            F.map_module("spam_safesite", sys.argv[1])
            """),
        )
        os.mkdir(os.path.join(self.folder, "project"))
        self.write(os.path.join("project", "spam_safesite.py"), "")
        code = f"""if True:
            import site, sys
            sys.argv.append({os.path.join(self.folder, "project")!r})
            sys.path.remove({self.folder!r})
            site.addsitedir({self.folder!r})
            print("_editable_impl_spam" in sys.modules)
            import spam_safesite
            print("_editable_impl_spam" in sys.modules)
        """
        out, err = self.run_python(code=code, SAFESITE_MODE="refuse")
        self.assertEqual((out.split(), err), (["False", "True"], ""))

    @unittest.skipUnless(os.name == "posix", "they are modules of other platforms")
    def test_modules_of_other_platforms_cannot_be_imported(self):
        self.write("winreg.py", "print('ran')")
        code = "import sys; print(sys.modules.get('winreg', 'missing'))"
        self.assertEqual(self.run_python(code=code, SAFESITE_MODE="refuse")[0], "None")

    @unittest.skipUnless(SITE_IS_FROZEN, "only a frozen module cannot be replaced")
    def test_no_file_takes_the_place_of_the_frozen_modules(self):
        for name in ("_safesite", "_safesite_keep", "_safesite_known"):
            self.write(name + ".py", "print('ran')")
        self.write("sitecustomize.py", "print('ran')")
        out, err = self.run_python(SAFESITE_MODE="refuse")
        self.assertEqual(out, "")
        self.assertIn("refused customize module", err)

    def test_nothing_is_imported_without_startup_code(self):
        code = "import site, sys; print('_safesite' in sys.modules)"
        _, out, _ = assert_python_ok("-I", "-S", "-c", code)
        self.assertEqual(out.decode().strip(), "False")


if __name__ == "__main__":
    unittest.main()
