//! The page: a title, facts, and sections of figures, with the style that all share.
//!
//! It is one file without scripts, and asks nobody for anything: a policy in its head forbids what its text does not do. Its
//! colours follow what the reader's system is set to, light or dark.

use super::svg::escaped;

/// A page.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// The title.
    pub title: String,
    /// What it shows, in a line each.
    pub facts: Vec<String>,
    /// What its reader should know.
    pub notes: Vec<String>,
    /// Its parts.
    pub sections: Vec<Section>,
}

/// A part of a page.
#[derive(Clone, Debug, Default)]
pub struct Section {
    /// The heading.
    pub title: String,
    /// What stands behind the heading, in other letters: axes.
    pub detail: String,
    /// What is to be said, in a sentence each.
    pub notes: Vec<String>,
    /// Markup in front of the figures: a legend.
    pub legend: String,
    /// The pictures.
    pub figures: Vec<Figure>,
    /// Whether another small part may stand beside it.
    pub is_small: bool,
}

/// A picture.
#[derive(Clone, Debug, Default)]
pub struct Figure {
    /// What stands above it; nothing where the heading says all.
    pub caption: String,
    /// The markup.
    pub svg: String,
}

const STYLE: &str = "
:root { color-scheme: light dark; --paper: #ffffff; --ink: #1c2024; --quiet: #5b646d; --line: #c9d0d6; --box: #f3f5f7;
  --node: #ffffff; --alarm: #d4351c; }
@media (prefers-color-scheme: dark) {
  :root { --paper: #14171a; --ink: #e6e9ec; --quiet: #9aa4ad; --line: #3d454d; --box: #1c2126; --node: #262c33;
    --alarm: #ff6f59; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 1060px; margin: 0 auto; padding: 24px 20px 64px; }
h1 { font-size: 26px; line-height: 1.2; margin: 0 0 4px; }
h2 { font-size: 18px; margin: 40px 0 4px; padding-top: 12px; border-top: 1px solid var(--line); overflow-wrap: anywhere; }
h2 small { font-weight: 400; font-size: 14px; color: var(--quiet); }
p { margin: 2px 0; max-width: 75ch; overflow-wrap: anywhere; }
.facts p, .notes p, figcaption { color: var(--quiet); }
.notes { margin: 4px 0 8px; }
code { font: 0.92em ui-monospace, monospace; }
.beside { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(420px, 100%), 1fr)); gap: 0 32px; }
.figures { display: flex; flex-wrap: wrap; gap: 16px 24px; align-items: flex-start; }
figure { margin: 0; max-width: 100%; }
figcaption { font-size: 13px; margin-bottom: 2px; }
svg { display: block; max-width: 100%; height: auto; overflow: hidden; }
svg text { fill: var(--ink); font: 11px system-ui, sans-serif; }
svg .axis, svg .quiet { fill: var(--quiet); }
svg .strong { font-weight: 600; }
.legend { margin: 6px 0 10px; }
.cell:hover { stroke: var(--ink); stroke-width: 1.5; }
.group { fill: var(--box); stroke: var(--line); }
.node { fill: var(--node); stroke: var(--line); }
.edge { fill: none; stroke: var(--quiet); stroke-width: 1; opacity: .65; }
.back { stroke-dasharray: 4 3; }

.grid { fill: none; stroke: var(--line); }
.curve { fill: none; stroke-width: 2; }
.tip { fill: var(--quiet); opacity: .8; }
";

/// A sentence, with what stands between backticks in the letters of programs.
fn with_code(said: &str) -> String {
    let parts = said.split('`').map(escaped).enumerate();
    parts.map(|(place, part)| if place % 2 == 1 { format!("<code>{part}</code>") } else { part }).collect()
}

impl Page {
    /// The page as HTML.
    pub fn html(&self) -> String {
        let paragraphs = |class: &str, all: &[String]| match all {
            [] => String::new(),
            all => {
                let all: String = all.iter().map(|said| format!("<p>{}</p>\n", with_code(said))).collect();
                format!("<div class=\"{class}\">\n{all}</div>\n")
            }
        };
        let title = escaped(&self.title);
        let mut text = format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
             <title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n"
        );
        text.push_str(&paragraphs("facts", &self.facts));
        text.push_str(&paragraphs("notes", &self.notes));
        let mut beside = false;
        for section in &self.sections {
            if section.is_small != beside {
                text.push_str(if beside { "</div>\n" } else { "<div class=\"beside\">\n" });
                beside = section.is_small;
            }
            let detail = match section.detail.as_str() {
                "" => String::new(),
                detail => format!(" <small>{}</small>", escaped(detail)),
            };
            text.push_str(&format!("<section>\n<h2>{}{detail}</h2>\n", escaped(&section.title)));
            text.push_str(&paragraphs("notes", &section.notes));
            text.push_str(&section.legend);
            text.push_str("<div class=\"figures\">\n");
            for figure in &section.figures {
                let caption = match figure.caption.as_str() {
                    "" => String::new(),
                    caption => format!("<figcaption>{}</figcaption>\n", escaped(caption)),
                };
                text.push_str(&format!("<figure>\n{caption}{}</figure>\n", figure.svg));
            }
            text.push_str("</div>\n</section>\n");
        }
        if beside {
            text.push_str("</div>\n");
        }
        text.push_str("</main>\n</body>\n</html>\n");
        text
    }
}
