//! How many objects are asked for at a time: as many as fit into the memory for them, whatever their size.

/// The most objects of a page; the API server's own clients take as many.
const MOST: u32 = 500;
/// Nothing is known of the objects yet: this many of the largest that the API server takes fit into a page.
const FIRST: u32 = 64;
/// The next page has at most so many times as many objects: they may be larger than those before.
const GROWTH: u32 = 4;

/// How many objects the next page of a list has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageSize {
    limit: u32,
    /// The most bytes of a page.
    most: usize,
}

/// A single object is larger than a page may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an object of it is larger than {0} bytes")]
pub struct TooLarge(pub usize);

impl PageSize {
    /// For pages of at most so many bytes.
    pub const fn new(most: usize) -> Self {
        Self { limit: FIRST, most }
    }

    /// How many objects are asked for.
    pub const fn limit(self) -> u32 {
        self.limit
    }

    /// The most bytes that are read of an answer.
    pub const fn most(self) -> usize {
        self.most
    }

    /// A page had so many objects and bytes; the next one is to fill half of the room.
    pub fn fits(&mut self, objects: usize, bytes: usize) {
        if objects == 0 {
            return;
        }
        let fitting = self.most.saturating_mul(objects) / bytes.max(1) / 2;
        let fitting = u32::try_from(fitting).unwrap_or(MOST);
        self.limit = fitting.min(self.limit.saturating_mul(GROWTH)).clamp(1, MOST);
    }

    /// A page was larger than there is room.
    pub fn exceeds(&mut self) -> Result<(), TooLarge> {
        if self.limit == 1 {
            return Err(TooLarge(self.most));
        }
        self.limit = (self.limit / GROWTH).max(1);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_fill_half_of_the_room_and_grow_slowly() {
        for (objects, bytes, expected) in [
            (64, 64_000, 256),
            (64, 64 << 20, 1),
            (64, 640_000, 51),
            (1, 10, 256),
            (0, 100, 64),
            (2, 0, 256),
        ] {
            let mut size = PageSize::new(1_024_000);
            size.fits(objects, bytes);
            assert_eq!(size.limit(), expected, "{objects} objects of {bytes} bytes");
        }
        let mut size = PageSize::new(1 << 30);
        for expected in [256, 500, 500] {
            size.fits(10, 10);
            assert_eq!(size.limit(), expected);
        }
    }

    #[test]
    fn a_page_without_room_is_asked_for_again_with_fewer_objects_down_to_one() {
        let mut size = PageSize::new(1000);
        for expected in [16, 4, 1] {
            assert_eq!(size.exceeds(), Ok(()));
            assert_eq!(size.limit(), expected);
        }
        assert_eq!(size.exceeds(), Err(TooLarge(1000)));
    }
}
