//! What a pipeline looks like: a tree of names, drawn as a Mermaid graph.

use std::fmt::{self, Write as _};

use flux_core::Bound;

/// A stage that can say what it is made of.
///
/// A function has no name of its own: give it one with [`label`](crate::StageExt::label) or
/// [`named`](crate::StageExt::named).
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no name in a graph",
    label = "cannot be drawn",
    note = "name each stage of the pipeline: `parse.label(\"parse\")`, or `.named(\"parse\")` to have its errors say so too"
)]
pub trait Describe {
    /// What it is made of.
    fn describe(&self) -> Shape;
}

/// By its subject.
impl<B> Describe for Bound<B> {
    fn describe(&self) -> Shape {
        Shape::leaf(self.subject().as_str())
    }
}

/// What a stage is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Shape {
    /// Something around another stage.
    Around(String, Box<Shape>),
    /// One after the other.
    Chain(Vec<Shape>),
    /// A stage that is not made of others.
    Leaf(String),
    /// Several beside each other, each with what stands on the way to it, if anything does.
    Split(String, Vec<(Option<String>, Shape)>),
}

impl Shape {
    /// A stage that is not made of others.
    pub fn leaf(name: impl Into<String>) -> Self {
        Self::Leaf(name.into())
    }

    /// Something called `name` around `inner`.
    pub fn around(name: impl Into<String>, inner: Self) -> Self {
        Self::Around(name.into(), Box::new(inner))
    }

    /// `self`, then `next`, as one chain.
    #[must_use]
    pub fn then(self, next: Self) -> Self {
        let parts = |shape| match shape {
            Self::Chain(parts) => parts,
            other => vec![other],
        };
        let mut chain = parts(self);
        chain.extend(parts(next));
        Self::Chain(chain)
    }

    /// Several beside each other.
    pub fn split(name: impl Into<String>, branches: impl IntoIterator<Item = Self>) -> Self {
        Self::Split(name.into(), branches.into_iter().map(|branch| (None, branch)).collect())
    }
}

/// Prints a Mermaid flow chart, from left to right.
impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut drawing = Drawing::default();
        drawing.shape(self);
        write!(f, "flowchart LR\n{}", drawing.text)
    }
}

#[derive(Default)]
struct Drawing {
    text: String,
    nodes: usize,
    depth: usize,
}

/// Where a part of the drawing is entered, and where it is left.
struct Ends {
    entry: usize,
    exits: Vec<usize>,
}

impl Drawing {
    fn shape(&mut self, shape: &Shape) -> Ends {
        match shape {
            Shape::Leaf(name) => self.node(name, '[', ']'),
            Shape::Around(name, inner) => {
                let id = self.nodes;
                self.nodes += 1;
                self.line(format_args!("subgraph s{id}[\"{}\"]", Escaped(name)));
                self.depth += 1;
                let ends = self.shape(inner);
                self.depth -= 1;
                self.line(format_args!("end"));
                ends
            }
            Shape::Chain(parts) => self.chain(parts),
            Shape::Split(name, branches) => self.split(name, branches),
        }
    }

    fn chain(&mut self, parts: &[Shape]) -> Ends {
        let mut whole: Option<Ends> = None;
        for part in parts {
            let ends = self.shape(part);
            whole = Some(match whole {
                None => ends,
                Some(before) => {
                    for exit in &before.exits {
                        self.line(format_args!("n{exit} --> n{}", ends.entry));
                    }
                    Ends { entry: before.entry, exits: ends.exits }
                }
            });
        }
        whole.unwrap_or_else(|| self.node("nothing", '[', ']'))
    }

    fn split(&mut self, name: &str, branches: &[(Option<String>, Shape)]) -> Ends {
        let fork = self.node(name, '{', '}');
        let mut exits = Vec::new();
        for (label, branch) in branches {
            let ends = self.shape(branch);
            match label {
                Some(label) => self.line(format_args!("n{} -- \"{}\" --> n{}", fork.entry, Escaped(label), ends.entry)),
                None => self.line(format_args!("n{} --> n{}", fork.entry, ends.entry)),
            }
            exits.extend(ends.exits);
        }
        Ends { entry: fork.entry, exits }
    }

    fn node(&mut self, name: &str, open: char, close: char) -> Ends {
        let id = self.nodes;
        self.nodes += 1;
        self.line(format_args!("n{id}{open}\"{}\"{close}", Escaped(name)));
        Ends { entry: id, exits: vec![id] }
    }

    fn line(&mut self, line: fmt::Arguments<'_>) {
        let indent = 4 * (self.depth + 1);
        // Writing to a `String` does not fail.
        let _ = writeln!(self.text, "{:indent$}{line}", "");
    }
}

/// A name as it may stand between quotes.
struct Escaped<'n>(&'n str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            match character {
                '"' => f.write_str("#quot;")?,
                '#' => f.write_str("#35;")?,
                '\n' => f.write_char(' ')?,
                other => f.write_char(other)?,
            }
        }
        Ok(())
    }
}
