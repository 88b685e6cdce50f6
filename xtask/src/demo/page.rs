//! How the story looks: headings, paragraphs, commands. Colours only where somebody sees them.

use owo_colors::{OwoColorize as _, Stream, Style};

const WIDTH: usize = 96;

/// A heading.
pub(super) fn chapter(title: &str) {
    println!("\n{}", styled(title, Style::new().bold().cyan()));
}

/// A paragraph, broken into lines.
pub(super) fn say(paragraph: &str) {
    println!("{}", wrapped(paragraph, 0));
}

/// Something that a program said, broken into lines and set apart.
pub(super) fn quote(words: &str) {
    println!("{}", styled(&wrapped(words, 4), Style::new().red()));
}

/// A text whose lines stay as they are, set apart.
pub(super) fn text(text: &str) {
    println!();
    for line in text.lines() {
        println!("{}", format!("    {line}").trim_end());
    }
    println!();
}

/// A command that is run now.
pub(super) fn command(arguments: &str) {
    println!(
        "\n{}",
        styled(&format!("$ kubectl {arguments}"), Style::new().bold())
    );
}

/// Something that was looked at and is as it should be.
pub(super) fn done(what: &str) {
    println!("{} {what}", styled("✓", Style::new().green()));
}

/// Text in a style, on a terminal that shows it.
pub(super) fn styled(text: &str, style: Style) -> String {
    text.if_supports_color(Stream::Stdout, |text| text.style(style))
        .to_string()
}

/// Lines of at most the page's width, each indented; a word that is longer gets a line of its own.
fn wrapped(text: &str, indent: usize) -> String {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= WIDTH => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(format!("{:indent$}{word}", "")),
        }
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_is_wider_than_the_page_and_no_word_is_lost() {
        let text = "word ".repeat(100) + &"long".repeat(50) + " end";
        let lines = wrapped(&text, 4);
        let words: Vec<&str> = lines.split_whitespace().collect();
        assert_eq!(words, text.split_whitespace().collect::<Vec<_>>());
        for line in lines.lines() {
            assert!(line.starts_with("    "), "{line}");
            assert!(line.len() <= WIDTH || !line.trim().contains(' '), "{line}");
        }
    }
}
