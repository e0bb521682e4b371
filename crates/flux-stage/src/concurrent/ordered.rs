//! Puts what comes in any order into the order it should have.

/// Outputs by index. What comes in order, as it mostly does, is stored once; the rest waits in a second list.
pub(crate) struct Ordered<T> {
    done: Vec<T>,
    late: Vec<Option<T>>,
    of: usize,
}

impl<T> Ordered<T> {
    pub(crate) fn new(of: usize) -> Self {
        Self { done: Vec::with_capacity(of), late: Vec::new(), of }
    }

    /// Each index comes once.
    pub(crate) fn put(&mut self, index: usize, output: T) {
        if index != self.done.len() {
            self.late.resize_with(self.of, || None);
            if let Some(place) = self.late.get_mut(index) {
                *place = Some(output);
            }
            return;
        }
        self.done.push(output);
        while let Some(next) = self.late.get_mut(self.done.len()).and_then(Option::take) {
            self.done.push(next);
        }
    }

    /// All outputs, once each index has come.
    pub(crate) fn into_vec(self) -> Vec<T> {
        self.done
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_order_comes_out_in_order() {
        for order in [[0, 1, 2, 3], [3, 2, 1, 0], [1, 3, 0, 2], [0, 2, 1, 3]] {
            let mut ordered = Ordered::new(4);
            for index in order {
                ordered.put(index, index * 10);
            }
            assert_eq!(ordered.into_vec(), [0, 10, 20, 30], "{order:?}");
        }
    }
}
