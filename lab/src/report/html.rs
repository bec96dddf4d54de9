//! A run as one page of HTML: no script, nothing from the network, light and dark, on paper and on a phone.

mod case;
mod limits;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use self::limits::Limits;
use super::conclusion::{Advice, Control, NAME, advice, headline};
use super::grid::{Entry, Grid, Group, groups};
use super::text::{count, duration, outcome, plain};
use super::words::{self, Tone};
use crate::verdict::{Outcome, Run, ServiceResult};

const STYLE: &str = include_str!("html/style.css");

/// The run as one page that needs nothing else. Long logs are cut, and say by how much: the page stays below two megabytes
/// for 200 cases.
#[must_use]
pub fn html(run: &Run) -> String {
    Limits::fit(|limits| page(run, limits).into_string())
}

fn page(run: &Run, limits: Limits) -> Markup {
    let groups = groups(run);
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="referrer" content="no-referrer";
                title { (words::conclusion(run.conclusion).1) " – Hostbound rebinding lab" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                header {
                    p.brand { b { "Hostbound" } " rebinding lab" }
                    nav aria-label="Sections" {
                        a href="#services" { "Services" }
                        a href="#matrix" { "Matrix" }
                        a href="#cases" { "Cases" }
                        a href="#legend" { "Legend" }
                    }
                }
                main {
                    (conclusion(run))
                    (facts(run))
                    section aria-labelledby="services" {
                        h2 id="services" { "Services" }
                        div.cards {
                            @for group in groups.iter().filter(|group| !group.is_control()) {
                                @if let Some(service) = group.service { (card(group, service)) }
                            }
                            (control(run))
                        }
                        (stopped_by(&groups))
                    }
                    section aria-labelledby="matrix" {
                        h2 id="matrix" { "Matrix" }
                        @if run.cases.is_empty() { p { "No case was run." } }
                        @for group in groups.iter().filter(|group| !group.cases.is_empty()) { (matrix(group)) }
                    }
                    section aria-labelledby="cases" {
                        h2 id="cases" { "Cases" }
                        p.note { "Each with its evidence and its logs: what was asked of the DNS server, what arrived at the target, what the page saw. Times count from the beginning of the case." }
                        @for group in groups.iter().filter(|group| !group.cases.is_empty()) {
                            h3 { (plain(group.name, NAME)) }
                            @for entry in &group.cases { (case::case(*entry, group.is_control(), limits)) }
                        }
                    }
                    (legend())
                }
                footer {
                    p { "Made by Hostbound " (plain(&run.hostbound, 40)) ". This is what one browser did with one set of services on one day: it does not speak for other browsers, other services or tomorrow." }
                }
            }
        }
    }
}

/// A status: the symbol for the eye, the word for everybody.
fn badge(symbol: &str, word: &str, tone: Tone) -> Markup {
    html! { span class={ "badge " (class(tone)) } { span.symbol aria-hidden="true" { (symbol) } " " (word) } }
}

const fn class(tone: Tone) -> &'static str {
    match tone {
        Tone::Bad => "bad",
        Tone::Good => "good",
        Tone::Browser => "browser",
        Tone::Elsewhere => "elsewhere",
        Tone::Unknown => "unknown",
        Tone::Control => "control",
    }
}

fn conclusion(run: &Run) -> Markup {
    let (symbol, word, tone) = words::conclusion(run.conclusion);
    html! {
        section class={ "conclusion " (class(tone)) } aria-labelledby="conclusion" {
            (badge(symbol, word, tone))
            h1 id="conclusion" { (headline(run)) }
            @if !run.reasons.is_empty() {
                ul { @for reason in run.reasons.iter().take(50) { li { (plain(reason, 500)) } } }
            }
        }
        section.next aria-labelledby="next" {
            h2 id="next" { "What to do next" }
            ol { @for step in advice(run) { li { (next(&step)) } } }
        }
    }
}

fn next(step: &Advice) -> Markup {
    html! {
        (step.text)
        @if let Some(policy) = &step.policy { pre tabindex="0" { code { (policy) } } }
    }
}

fn facts(run: &Run) -> Markup {
    let facts = [
        (
            "Browser",
            format!("{} {}", run.browser.kind.name(), plain(&run.browser.version, 60)),
        ),
        ("Started", plain(&run.started, 40)),
        (
            "Took",
            format!("{} for {}", duration(run.duration_ms), count(run.cases.len(), "case")),
        ),
        (
            "Policy",
            run.policy
                .as_deref()
                .map_or_else(|| "none".to_owned(), |policy| plain(policy, 200)),
        ),
    ];
    html! {
        dl.facts { @for (name, value) in facts { div { dt { (name) } dd { (value) } } } }
    }
}

fn card(group: &Group<'_>, service: &ServiceResult) -> Markup {
    let target = &service.target;
    let (symbol, word, tone) = words::verdict(service.verdict, group.count(Outcome::BlockedByBrowser));
    html! {
        article class={ "card " (class(tone)) } {
            div.head { h3 { (plain(&target.name, NAME)) } (badge(symbol, word, tone)) }
            p.kind { (words::kind(target)) }
            p { (plain(&service.summary, 500)) }
            dl {
                div { dt { "Under its own name" } dd { (words::answer(target.own_name_status)) } }
                div { dt { "Under a foreign name" } dd { (words::answer(target.foreign_name_status)) } }
                @if let Some(trouble) = &target.trouble { div { dt { "Trouble" } dd { (plain(trouble, 300)) } } }
            }
            @if let Some(note) = group.browser_note() { p.browser-note { span.symbol aria-hidden="true" { "■ " } (note) } }
        }
    }
}

fn control(run: &Run) -> Markup {
    let control = Control::of(run);
    let (symbol, word, tone) = if control.works() {
        ("●", "rig works", Tone::Control)
    } else {
        ("!", "rig not proved", Tone::Unknown)
    };
    html! {
        article class={ "card " (class(tone)) } {
            div.head { h3 { "Negative control" } (badge(symbol, word, tone)) }
            p.kind { "bare canary" }
            p { (control.sentence()) }
            p.note { "A run counts only if the same attack reads a service that checks nothing." }
        }
    }
}

/// Where the cases against the services under test ended.
fn stopped_by(groups: &[Group<'_>]) -> Markup {
    let under_test = || groups.iter().filter(|group| !group.is_control());
    let all: usize = under_test().map(|group| group.cases.len()).sum();
    let rows = Outcome::ALL.into_iter().filter_map(|outcome| {
        let number: usize = under_test().map(|group| group.count(outcome)).sum();
        (number > 0).then_some((outcome, number))
    });
    html! {
        @if all > 0 {
            table.tally {
                caption { "Who stopped the cases against services under test" }
                thead { tr { th scope="col" { "Stopped by" } th scope="col" { "Outcome" } th.number scope="col" { "Cases" } } }
                tbody {
                    @for (outcome, number) in rows {
                        @let words = words::outcome(outcome);
                        tr {
                            th scope="row" { (outcome.stopped_by()) }
                            td { (badge(words.symbol, words.word, words.tone)) }
                            td.number { (number) " " span.of { "of " (all) } }
                        }
                    }
                }
            }
        }
    }
}

fn matrix(group: &Group<'_>) -> Markup {
    html! {
        h3 {
            (plain(group.name, NAME))
            @if group.is_control() { " " span.aside { "negative control: it should be read" } }
        }
        @for grid in group.grids() { (table(&grid, group)) }
        @if let Some(note) = group.browser_note() { p.browser-note { span.symbol aria-hidden="true" { "■ " } (note) } }
    }
}

fn table(grid: &Grid<'_>, group: &Group<'_>) -> Markup {
    html! {
        div.scroll role="region" tabindex="0" aria-label={ "Matrix of " (plain(group.name, NAME)) ", " (grid.place()) } {
            table.matrix.wide[grid.columns.len() > 2] {
                caption { span.unseen { (plain(group.name, NAME)) ", " } (grid.place()) }
                thead {
                    tr {
                        th scope="col" rowspan="2" { "Method" }
                        th.over scope="colgroup" colspan=(grid.columns.len()) { "Local Network Access" }
                    }
                    tr { @for setting in &grid.columns { th scope="col" { (setting.name()) } } }
                }
                @for rows in grid.rows.chunk_by(|one, other| one.strategy == other.strategy) {
                    tbody {
                        @if let Some(first) = rows.first() {
                            tr.strategy { th scope="rowgroup" colspan=(grid.columns.len() + 1) { (first.strategy.name()) } }
                        }
                        @for row in rows {
                            tr {
                                th scope="row" { (row.method.name()) }
                                @for cell in &row.cells {
                                    td { @match cell {
                                        Some(entry) => (link(*entry, group.is_control())),
                                        None => span.none { "not run" },
                                    } }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// An outcome that leads to its case.
fn link(entry: Entry<'_>, is_control: bool) -> Markup {
    let (symbol, tone) = words::at(entry.result.outcome, is_control);
    html! {
        a href={ "#case-" (entry.index + 1) } title=(entry.result.outcome.name()) {
            (badge(symbol, &outcome(entry.result), tone))
        }
    }
}

fn legend() -> Markup {
    html! {
        section aria-labelledby="legend" {
            h2 id="legend" { "What the outcomes mean" }
            dl.legend {
                @for outcome in Outcome::ALL {
                    @let words = words::outcome(outcome);
                    div {
                        dt { (badge(words.symbol, words.word, words.tone)) " " code { (outcome.name()) } }
                        dd {
                            p { b { "Stopped by: " } (outcome.stopped_by()) "." }
                            p { b { "Proves: " } (words.proves) }
                            p { b { "Leaves open: " } (words.leaves_open) }
                        }
                    }
                }
                div {
                    dt { (badge("●", "read", Tone::Control)) " " code { "reached_readable" } " of the negative control" }
                    dd { p { b { "Proves: " } "This rig can rebind in this browser. The canary checks nothing, so it should be read." } }
                }
            }
            p.note { "Local Network Access is the browser's own check of requests from a page of a wider address space to a narrower one: "
                b { "default" } " as the browser comes, " b { "off" } " without it, " b { "navigations" } " also for windows and popups." }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;

    #[test]
    fn it_says_all_that_the_run_says() {
        let run = fixture::run();
        let page = html(&run);
        for outcome in Outcome::ALL {
            assert!(page.contains(outcome.name()) && page.contains(words::outcome(outcome).word));
            assert!(page.contains(words::outcome(outcome).leaves_open));
        }
        for text in [
            "<h1 id=\"conclusion\">A web page can read ollama.</h1>",
            "chromium 156.0.8078.108",
            "2026-10-20T10:04:12Z",
            "3 min 12 s",
            "policies/local.toml",
            "read+wrote in 2.1 s",
            "this rig can rebind",
            "says nothing about the service",
            "deny 421 host_not_allowed",
            "connected, and sent nothing",
            "TypeError: Failed to fetch",
            "127.0.0.1:11434",
        ] {
            assert!(page.contains(text), "{text}");
        }
        for number in 1..=run.cases.len() {
            assert!(page.contains(&format!("id=\"case-{number}\"")));
            assert!(page.contains(&format!("href=\"#case-{number}\"")));
        }
    }

    #[test]
    fn it_needs_no_network_and_no_script() {
        let page = html(&fixture::run());
        assert!(page.contains("default-src 'none'; style-src 'unsafe-inline'"));
        for text in ["<script", "src=", "@import", "url(", "<link", " on", "javascript:"] {
            let is_in_a_tag = |tag: &str| {
                tag.split('>')
                    .next()
                    .is_some_and(|tag| format!("<{tag}").contains(text))
            };
            assert!(!page.split('<').any(is_in_a_tag), "{text}");
        }
        assert!(!STYLE.contains("@import") && !STYLE.contains("url("));
    }

    #[test]
    fn hostile_text_stays_text() {
        let page = html(&fixture::hostile());
        for text in [
            "<script",
            "<img",
            "<!--",
            "\u{202e}",
            "\u{200f}",
            "\u{1b}",
            "\u{0}",
            "\u{e0041}",
            "\u{fffe}",
        ] {
            assert!(!page.contains(text), "{text:?}");
        }
        assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;"));
        assert!(page.len() < 2_000_000, "{}", page.len());
    }

    #[test]
    fn long_logs_are_cut_and_say_so() {
        let page = html(&fixture::long());
        assert!(page.len() < 2_000_000, "{}", page.len());
        assert!(page.contains("lines left out"));
        let mut run = fixture::long();
        run.cases.truncate(2);
        assert!(html(&run).contains("250 lines left out"));
    }

    #[test]
    fn a_block_by_the_browser_is_never_green() {
        let page = html(&fixture::run());
        let blocked = words::outcome(Outcome::BlockedByBrowser).word;
        let badges: Vec<_> = page
            .split("<span class=\"badge ")
            .filter(|badge| badge.contains(&format!("</span> {blocked}</span>")))
            .collect();
        assert!(!badges.is_empty());
        for badge in badges {
            assert!(badge.starts_with("browser\""), "{badge}");
        }
    }

    #[test]
    fn an_empty_run_has_a_page() {
        let page = html(&fixture::empty());
        assert!(page.contains("No case was run.") && page.contains("This run shows nothing about the services."));
    }

    /// WCAG 2.2, 1.4.3: 4.5 to 1, of every colour of text on what it stands on.
    #[test]
    fn colours_can_be_read() {
        for scheme in STYLE.split(":root {").skip(1) {
            let scheme = scheme.split('}').next().unwrap();
            let colour = |name: &str| {
                let value = scheme
                    .split(&format!("--{name}: #"))
                    .nth(1)
                    .unwrap_or_else(|| panic!("{name}"));
                luminance(value.split(';').next().unwrap())
            };
            let mut pairs = vec![
                ("text", "page"),
                ("text", "card"),
                ("text", "code"),
                ("link", "page"),
                ("link", "card"),
            ];
            pairs.extend([("soft", "page"), ("soft", "card"), ("soft", "code")]);
            for (text, back) in pairs {
                assert_contrast(colour(text), colour(back), text);
            }
            for tone in [
                Tone::Bad,
                Tone::Good,
                Tone::Browser,
                Tone::Elsewhere,
                Tone::Unknown,
                Tone::Control,
            ] {
                let name = class(tone);
                assert_contrast(colour(name), colour(&format!("{name}-back")), name);
                assert_contrast(colour("text"), colour(&format!("{name}-back")), name);
            }
        }
    }

    fn assert_contrast(one: f64, other: f64, name: &str) {
        let contrast = (one.max(other) + 0.05) / (one.min(other) + 0.05);
        assert!(contrast >= 4.5, "{name}: {contrast}");
    }

    /// WCAG 2.2, relative luminance.
    fn luminance(hex: &str) -> f64 {
        let wide: String = if hex.len() == 3 {
            hex.chars().flat_map(|digit| [digit, digit]).collect()
        } else {
            hex.to_owned()
        };
        let part = |at: usize| {
            let value = f64::from(u8::from_str_radix(&wide[at..at + 2], 16).unwrap()) / 255.0;
            if value <= 0.04045 {
                value / 12.92
            } else {
                ((value + 0.055) / 1.055).powf(2.4)
            }
        };
        0.2126 * part(0) + 0.7152 * part(2) + 0.0722 * part(4)
    }
}
