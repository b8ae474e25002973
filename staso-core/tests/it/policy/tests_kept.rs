//! Tests are not deleted, skipped or weakened.

use staso_core::fix::PathPolicy;

use super::world::rule;

const PYTHON: &str = "import app\n\n\ndef test_total():\n    order = app.order()\n    assert app.total(order) == 2\n\n\nclass TestCart:\n    def test_add(self):\n        self.assertEqual(\n            app.add(1),\n            2,\n        )\n";

fn refused(path: &str, before: &str, after: &str) -> Option<&'static str> {
    rule(&PathPolicy::default(), path, Some(before), after)
}

fn put(text: &str, at: &str, new: &str) -> String {
    assert!(text.contains(at), "{at}");
    text.replacen(at, &format!("{new}{at}"), 1)
}

#[test]
fn assertions_are_neither_removed_nor_altered_in_any_file() {
    for path in ["tests/test_a.py", "app/a.py"] {
        for (old, new) in [
            ("    assert app.total(order) == 2\n", ""),
            ("total(order) == 2", "total(order) == 1"),
            ("assert app.total(order) == 2", "assert True"),
            ("assert app.total(order) == 2", "app.total(order) == 2"),
            ("            2,\n", "            3,\n"),
            ("            app.add(1),\n", "            app.add(2),\n"),
        ] {
            let found = refused(path, PYTHON, &PYTHON.replacen(old, new, 1));
            assert_eq!(found, Some("weakened-tests"), "{path}: {old:?} to {new:?}");
        }
    }
    let documented = "def f(x):\n    \"\"\"Adds.\n\n    >>> f(1)\n    2\n    \"\"\"\n    return x\n";
    assert_eq!(
        refused("a.py", documented, &documented.replace("    2\n", "    1\n")),
        Some("weakened-tests")
    );
    assert_eq!(refused("a.py", documented, &documented.replace("return x", "return x + 1")), None);
    let rust = "fn f() {}\n#[cfg(test)]\nmod tests {\n    #[test]\n    fn adds() {\n        assert_eq!(\n            super::add(1),\n            2\n        );\n    }\n}\n";
    assert_eq!(
        refused("src/a.rs", rust, &rust.replace("            2\n", "            1\n")),
        Some("weakened-tests")
    );
    assert_eq!(refused("src/a.rs", rust, &rust.replace("fn f() {}", "fn f() { g() }")), None);
    let script = "test('adds', () => {\n  expect(add(1)).toBe(2);\n});\n";
    assert_eq!(refused("a.test.ts", script, &script.replace("toBe(2)", "toBe(1)")), Some("weakened-tests"));
}

#[test]
fn tests_are_neither_removed_nor_renamed_nor_defined_again() {
    for (path, text, old, new) in [
        ("app/a.py", "def test_a():\n    run()\n", "test_a", "check_a"),
        ("tests/test_a.py", "def test_a():\n    run()\n", "test_a", "_test_a"),
        ("a_test.go", "func TestA(t *testing.T) {\n\trun()\n}\n", "TestA", "testA"),
        ("src/a.rs", "#[test]\nfn a() {\n    run();\n}\n", "#[test]\n", ""),
        ("a.spec.ts", "it('adds', () => {\n  run();\n});\n", "adds", "is"),
        ("ATest.java", "  @Test\n  void adds() { run(); }\n", "@Test", ""),
        ("tests/test_a.py", "class TestA:\n    pass\n", "TestA", "A"),
    ] {
        assert_eq!(refused(path, text, &text.replacen(old, new, 1)), Some("removed-tests"), "{path}: {old}");
    }
    let again = format!("{PYTHON}\n\ndef test_total():\n    pass\n");
    assert_eq!(refused("tests/test_a.py", PYTHON, &again), Some("removed-tests"));
}

#[test]
fn no_test_is_marked_as_skipped() {
    for (path, mark) in [
        ("tests/test_a.py", "@pytest.mark.skip\ndef test_b():\n    pass\n"),
        ("tests/test_a.py", "@pytest . mark . xfail(reason='x')\ndef test_b():\n    pass\n"),
        ("tests/test_a.py", "@pytest.mark.\\\nskipif(True)\ndef test_b():\n    pass\n"),
        ("tests/test_a.py", "@unittest.skip('x')\nclass B:\n    pass\n"),
        ("tests/test_a.py", "pytestmark = [slow]\n"),
        ("tests/test_a.py", "test_total.__test__ = False\n"),
        ("tests/test_a.py", "def helper():\n    raise SkipTest()\n"),
        ("tests/test_a.py", "collect_ignore = ['test_b.py']\n"),
        ("src/lib.rs", "#[test]\n#[ignore]\nfn a() {}\n"),
        ("src/lib.rs", "#[cfg(any())]\nmod tests {}\n"),
        ("a_test.go", "func TestB(t *testing.T) {\n\tt.Skip()\n}\n"),
        ("src/test/BTest.java", "@Disabled\nclass B {}\n"),
        ("a.test.ts", "it.skip('b', () => {});\n"),
        ("a.test.ts", "xit('b', () => {});\n"),
        ("a.test.ts", "test.only('b', () => {});\n"),
        ("a.test.ts", "describe\n  .only('b', () => {});\n"),
        ("__tests__/a.js", "fdescribe('b', () => {});\n"),
    ] {
        assert_eq!(refused(path, "x = 1\n", &format!("x = 1\n{mark}")), Some("skipped-tests"), "{mark}");
    }
    assert_eq!(
        refused("app/a.py", "x = 1\n", "x = Order.objects.only('id')\n"),
        None,
        "a query of the program"
    );
    let skipped = "@pytest.mark.skip\ndef test_b():\n    pass\n";
    assert_eq!(
        refused("tests/test_a.py", skipped, &format!("{skipped}\n\ndef test_c():\n    run()\n")),
        None
    );
}

#[test]
fn existing_test_files_only_gain_lines() {
    let path = "tests/test_a.py";
    assert_eq!(refused(path, PYTHON, &PYTHON.replace("app.order()", "app.other()")), Some("changed-tests"));
    assert_eq!(refused(path, PYTHON, &PYTHON.replace("import app\n", "")), Some("changed-tests"));
    let more = "\n\ndef test_more():\n    if app.ready():\n        return\n    assert app.total(None) == 0\n";
    assert_eq!(refused(path, PYTHON, &format!("{PYTHON}{more}")), None);
    assert_eq!(refused(path, PYTHON.trim_end(), &format!("{PYTHON}{more}")), None, "without a last line end");
    let inside = put(PYTHON, "class TestCart", "def test_more():\n    assert app.add(2) == 3\n\n\n");
    assert_eq!(refused(path, PYTHON, &inside), None);
    let method = "\n    def test_more(self):\n        self.assertEqual(app.add(2), 3)\n";
    assert_eq!(refused(path, PYTHON, &format!("{PYTHON}{method}")), None);
    assert_eq!(refused(path, PYTHON, &put(PYTHON, "import app", "import os\n")), None);
    let script = "describe('cart', () => {\n  it('adds', () => {\n    expect(add(1)).toBe(2);\n  });\n});\n";
    let more = "  it('adds more', () => {\n    expect(add(2)).toBe(3);\n  });\n";
    let at = script.rfind("});").unwrap();
    let longer = format!("{}{more}{}", script.get(..at).unwrap(), script.get(at..).unwrap());
    assert_eq!(refused("cart.test.ts", script, &longer), None);
    assert_eq!(rule(&PathPolicy::default(), path, None, PYTHON), None, "a new test file");
}

#[test]
fn added_lines_do_not_keep_others_from_running() {
    let assertion = "    assert app.total(order) == 2\n";
    for (at, new) in [
        (assertion, "    return\n"),
        (assertion, "    if order: return\n"),
        (assertion, "    raise ValueError\n"),
        (assertion, "    def helper():\n        pass\n    return\n"),
        (assertion, "    '''\n"),
        (assertion, "    \"\"\" not any more\n"),
        (assertion, "    if False:\n"),
        (assertion, "    x = 1 or \\\n"),
        (assertion, "    x = (\n"),
        (assertion, "    import sys; sys.exit(0)\n"),
        (assertion, "    os._exit(0)\n"),
        ("def test_total", "@cached\n"),
        ("        self.assertEqual(", "        unused = lambda: [\n"),
        ("import app", "import os\nos . _exit(0)\n"),
    ] {
        assert_eq!(
            refused("tests/test_a.py", PYTHON, &put(PYTHON, at, new)),
            Some("disabled-tests"),
            "{new}"
        );
    }
    let script = "it('adds', () => {\n  expect(add(1)).toBe(2);\n});\n";
    for new in [
        "  return;\n",
        "  if (false)\n",
        "  /*\n",
        "  `\n",
        "  process.exit(0);\n",
        "  throw 1;\n",
        "  const x = () =>\n    [\n",
    ] {
        let found = refused("a.test.ts", script, &put(script, "  expect", new));
        assert_eq!(found, Some("disabled-tests"), "{new}");
    }
    assert_eq!(
        rule(&PathPolicy::default(), "tests/test_b.py", None, "import os\nos._exit(0)\n"),
        Some("disabled-tests")
    );
    assert_eq!(
        refused("app/cli.py", "import sys\n", "import sys\nsys.exit(main())\n"),
        None,
        "a program may end"
    );
}

#[test]
fn assertions_that_cannot_fail_prove_nothing() {
    for (path, line) in [
        ("tests/test_b.py", "    assert True"),
        ("tests/test_b.py", "    assert 1 == 1, 'fine'"),
        ("tests/test_b.py", "    self.assertTrue( True )"),
        ("tests/test_b.py", "    assert 'the total'"),
        ("b.test.ts", "  expect(true).toBe(true);"),
        ("tests/b.rs", "    assert!(true);"),
        ("tests/b.rs", "    assert_eq!(1, 1);"),
    ] {
        let text = format!("def test_b():\n{line}\n");
        assert_eq!(rule(&PathPolicy::default(), path, None, &text), Some("vacuous-tests"), "{line}");
    }
    let fine = "def test_b():\n    assert app.is_true(True)\n    assert total == 1\n";
    assert_eq!(rule(&PathPolicy::default(), "tests/test_b.py", None, fine), None);
}
