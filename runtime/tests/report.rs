//! The report of `seqc trace` in a real browser: nothing overflows, nothing is asked of anybody, every number is a cell.
//!
//! Where there is no Chromium the test says so in a line, and passes; with SEQWRIGHT_REQUIRE_BROWSER set that is a failure.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// The browser, if there is one.
fn browser() -> Option<&'static str> {
    let starts = |name: &&str| Command::new(name).arg("--version").output().is_ok_and(|done| done.status.success());
    let found = ["chromium", "chromium-browser", "google-chrome"].into_iter().find(|name| starts(name));
    if found.is_none() {
        let why = "there is no browser: install chromium";
        assert!(std::env::var_os("SEQWRIGHT_REQUIRE_BROWSER").is_none(), "{why}");
        let _ = std::io::stderr().write_all(format!("skipped a report in a browser: {why}\n").as_bytes());
    }
    found
}

/// A report of an example, and the folder that it is in.
fn report(name: &str, more: &[&str]) -> (TempDir, PathBuf, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("report.html");
    let (file, checkpoint) = (format!("examples/{name}.seq"), format!("tests/goldens/{name}"));
    let mut command = assert_cmd::cargo::cargo_bin_cmd!("seqc");
    command.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."));
    command.args(["trace", &file, "--checkpoint", &checkpoint, "--html"]).arg(&path).args(more);
    let done = command.output().expect("it runs");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let text = std::fs::read_to_string(&path).expect("a page");
    (folder, path, text)
}

/// What a browser found of a page in a window of this width: cells, requests, and pixels that stick out to the right.
fn measured(browser: &str, folder: &Path, page: &str, wide: u32) -> [usize; 3] {
    // The page itself has no script and forbids them: a copy is measured.
    let policy =
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">";
    assert!(page.contains(policy));
    let script = "<script>const d = document, e = d.documentElement;
        const cells = d.querySelectorAll('rect.cell').length;
        const asked = performance.getEntriesByType('resource').length;
        const inside = [...d.querySelectorAll('svg text, svg rect')].filter(x => {
            const own = x.getBoundingClientRect(), all = x.closest('svg').getBoundingClientRect();
            return own.left < all.left - 1 || own.right > all.right + 1 || own.bottom > all.bottom + 1;
        }).length;
        d.title = 'measured ' + [cells, asked, Math.max(0, e.scrollWidth - e.clientWidth) + inside].join(' ') + '.';</script>";
    let copy = folder.join("copy.html");
    std::fs::write(&copy, page.replace(policy, "").replace("</body>", &format!("{script}</body>"))).expect("a copy");
    let dom = run(browser, folder, &copy, &["--dump-dom", &format!("--window-size={wide},900")]);
    let found = dom.split("<title>measured ").nth(1).and_then(|rest| rest.split('.').next());
    let numbers: Vec<usize> = found
        .unwrap_or_else(|| panic!("the page was not measured: {}", &dom[..dom.len().min(600)]))
        .split(' ')
        .filter_map(|number| number.parse().ok())
        .collect();
    numbers.try_into().expect("three numbers")
}

fn run(browser: &str, folder: &Path, page: &Path, more: &[&str]) -> String {
    let profile = format!("--user-data-dir={}", folder.join("profile").display());
    let fixed = [
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--hide-scrollbars",
        "--virtual-time-budget=2000",
        &profile,
    ];
    let done = Command::new(browser).args(fixed).args(more).arg(format!("file://{}", page.display())).output();
    let done = done.expect("the browser runs");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8_lossy(&done.stdout).into_owned()
}

#[test]
fn a_report_is_whole_without_anything_else() {
    let (_folder, _, page) = report("gpt2", &["--length", "7"]);
    for outside in ["http:", "https:", "src=", "<script", "<link", "@import", "<img"] {
        assert!(!page.contains(outside), "{outside}");
    }
    assert_eq!(page.matches("url(").count(), page.matches("url(#tip)").count());
    // Three layers of four heads.
    assert_eq!(page.matches("class=\"cell\"").count(), 3 * 4 * 7 * 7);
    assert!(page.contains("<code>layer.1</code> to <code>layer.2</code> are like <code>layer.0</code>"));
    assert!(page.contains("class=\"bar\""));
}

#[test]
fn a_browser_shows_every_number_and_asks_nobody() {
    let Some(browser) = browser() else { return };
    let (folder, path, page) = report("lstm", &["--length", "9"]);
    for wide in [1200, 500] {
        let [cells, asked, outside] = measured(browser, folder.path(), &page, wide);
        // Two states and four gates of twenty entries.
        assert_eq!((cells, asked, outside), (6 * 9 * 20, 0, 0), "in a window of {wide}");
    }
    let shot = |dark: bool| {
        let picture = folder.path().join(if dark { "dark.png" } else { "light.png" });
        let scheme = format!("--blink-settings=preferredColorScheme={}", if dark { 0 } else { 1 });
        run(
            browser,
            folder.path(),
            &path,
            &[&format!("--screenshot={}", picture.display()), "--window-size=1100,900", &scheme],
        );
        std::fs::read(picture).expect("a picture")
    };
    let (light, dark) = (shot(false), shot(true));
    assert!(light.len() > 10_000 && dark.len() > 10_000 && light != dark);
}

#[test]
fn what_is_too_large_is_sampled_and_said() {
    let (_folder, _, page) = report("lstm", &["--length", "100", "--value", "lstm.c"]);
    assert!(page.contains("Shown are 48 of 100 entries of t, evenly spaced."));
    assert_eq!(page.matches("class=\"cell\"").count(), 48 * 20);
    assert!(page.contains("t 99: "));
}
