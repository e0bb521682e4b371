//! The rules of the worker loop, on a transport whose every move is scripted and on the in-process ones.

mod double;

mod answer;
mod check;
mod drain;
mod extract;
mod ladder;
mod letters;
mod order;
mod rebuild;
mod settled;
