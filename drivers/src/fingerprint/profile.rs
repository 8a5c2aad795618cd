//! What differs between modules of the EF 01 family, as data. A module cannot say what
//! it is, so the agency's settings name its profile.

/// One kind of module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Profile {
    /// Name in the settings.
    pub name: &'static str,
    /// Image width in pixels.
    pub width: u32,
    /// Image height in pixels.
    pub height: u32,
    /// Resolution in pixels an inch.
    pub ppi: u32,
    /// How pixels are packed in an upload.
    pub packing: Packing,
    /// Fastest line speed that the module is known to hold, in baud.
    pub baud_max_hz: u32,
    /// What lamp it has.
    pub lamp: Lamp,
}

/// How pixels travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packing {
    /// Two pixels a byte, the high nibble is the left one.
    FourBit,
    /// One pixel a byte.
    EightBit,
}

/// The light that tells the person where to put the finger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lamp {
    /// None, or not to be switched.
    None,
    /// One lamp, on or off.
    OnOff,
    /// A ring with colours.
    Ring,
}

impl Profile {
    /// The profile of this name.
    pub fn named(name: &str) -> Option<&'static Self> {
        PROFILES.iter().find(|profile| profile.name == name)
    }

    /// Bytes of an uploaded image.
    pub fn upload_size(&self) -> usize {
        let pixels = (self.width * self.height) as usize;
        match self.packing {
            Packing::FourBit => pixels.div_ceil(2),
            Packing::EightBit => pixels,
        }
    }

    /// Grey pixels, 0..=255, from an upload of exactly [`Self::upload_size`] bytes.
    pub fn unpack(&self, upload: &[u8]) -> Vec<u8> {
        match self.packing {
            Packing::EightBit => upload.to_vec(),
            Packing::FourBit => {
                let two = |byte: &u8| [(byte >> 4) * 17, (byte & 0x0F) * 17];
                let mut pixels: Vec<u8> = upload.iter().flat_map(two).collect();
                pixels.truncate((self.width * self.height) as usize);
                pixels
            }
        }
    }
}

/// Optical modules with a large window first: they suit dry, worn fingers better.
pub static PROFILES: [Profile; 5] = [
    Profile {
        name: "as608",
        width: 256,
        height: 288,
        ppi: 500,
        packing: Packing::FourBit,
        baud_max_hz: 115_200,
        lamp: Lamp::None,
    },
    Profile {
        name: "zfm20",
        width: 256,
        height: 288,
        ppi: 500,
        packing: Packing::FourBit,
        baud_max_hz: 115_200,
        lamp: Lamp::OnOff,
    },
    Profile {
        name: "r503",
        width: 192,
        height: 192,
        ppi: 508,
        packing: Packing::FourBit,
        baud_max_hz: 115_200,
        lamp: Lamp::Ring,
    },
    Profile {
        name: "capacitive160",
        width: 160,
        height: 160,
        ppi: 508,
        packing: Packing::FourBit,
        baud_max_hz: 115_200,
        lamp: Lamp::None,
    },
    Profile {
        name: "eight-bit",
        width: 256,
        height: 288,
        ppi: 500,
        packing: Packing::EightBit,
        baud_max_hz: 115_200,
        lamp: Lamp::None,
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upload_has_the_size_the_reference_states() {
        assert_eq!(Profile::named("as608").unwrap().upload_size(), 36_864);
        assert_eq!(Profile::named("r503").unwrap().upload_size(), 18_432);
    }

    #[test]
    fn the_high_nibble_is_the_left_pixel() {
        let profile = Profile { width: 2, height: 1, ..PROFILES[0] };
        assert_eq!(profile.unpack(&[0xF1]), [255, 17]);
    }
}
