//! Typed arrays at the border: where they lie in memory, and slices of them once they are known not to overlap.

use std::marker::PhantomData;
use std::ptr;

use napi::bindgen_prelude::{FromNapiValue, TypeName, ValidateNapiValue};
use napi::{check_status, sys, Error, Result, Status, ValueType};

/// A kind of number that a typed array holds.
pub trait Element: Copy {
    const ARRAY_TYPE: sys::napi_typedarray_type;
    const ARRAY_NAME: &'static str;
}

impl Element for u8 {
    const ARRAY_TYPE: sys::napi_typedarray_type = sys::TypedarrayType::uint8_array;
    const ARRAY_NAME: &'static str = "Uint8Array";
}

impl Element for i32 {
    const ARRAY_TYPE: sys::napi_typedarray_type = sys::TypedarrayType::int32_array;
    const ARRAY_NAME: &'static str = "Int32Array";
}

impl Element for u32 {
    const ARRAY_TYPE: sys::napi_typedarray_type = sys::TypedarrayType::uint32_array;
    const ARRAY_NAME: &'static str = "Uint32Array";
}

impl Element for f64 {
    const ARRAY_TYPE: sys::napi_typedarray_type = sys::TypedarrayType::float64_array;
    const ARRAY_NAME: &'static str = "Float64Array";
}

/// A typed array that the caller owns, alive for the length of one call. It gives no slice by itself: see `disjoint!`.
pub struct Column<'call, T: Element> {
    data: *mut T,
    length: usize,
    call: PhantomData<&'call mut [T]>,
}

impl<'call, T: Element> Column<'call, T> {
    /// The bytes of memory that the array covers, as addresses.
    pub fn span(&self) -> (usize, usize) {
        let start = self.data as usize;
        (start, start + self.length * size_of::<T>())
    }

    /// # Safety
    /// No slice made by `as_mut_slice` from memory that overlaps this column may be alive.
    pub unsafe fn as_slice(&self) -> &'call [T] {
        if self.length == 0 {
            return &[];
        }
        // SAFETY: Node says that `length` elements lie at `data`, and keeps them for the length of the call.
        unsafe { std::slice::from_raw_parts(self.data, self.length) }
    }

    /// # Safety
    /// No other slice from memory that overlaps this column may be alive.
    pub unsafe fn as_mut_slice(&mut self) -> &'call mut [T] {
        if self.length == 0 {
            return &mut [];
        }
        // SAFETY: as in `as_slice`; that it is the only slice is the caller's promise.
        unsafe { std::slice::from_raw_parts_mut(self.data, self.length) }
    }
}

/// Refuses outputs that overlap each other or an input: `spans` has the `outputs` first, the inputs behind them.
pub fn check_disjoint(outputs: usize, spans: &[(usize, usize)]) -> Result<()> {
    for (index, output) in spans[..outputs].iter().enumerate() {
        for other in &spans[index + 1..] {
            if output.0 < other.1 && other.0 < output.1 {
                return Err(Error::new(Status::InvalidArg, "an output column overlaps another column".to_owned()));
            }
        }
    }
    Ok(())
}

/// Turns columns into slices, outputs mutable, after checking that no output overlaps any other column:
/// `disjoint!(out, counts; bytes, ranges)` shadows each name with its slice.
macro_rules! disjoint {
    ($($output:ident),* ; $($input:ident),*) => {
        let spans = [$($output.span(),)* $($input.span(),)*];
        let outputs: &[&str] = &[$(stringify!($output)),*];
        $crate::column::check_disjoint(outputs.len(), &spans)?;
        // SAFETY: `check_disjoint` has found that no output overlaps another column.
        $(let mut $output = $output; let $output = unsafe { $output.as_mut_slice() };)*
        // SAFETY: the same; inputs may overlap each other, since they are only read.
        $(let $input = unsafe { $input.as_slice() };)*
    };
}
pub(crate) use disjoint;

/// An offset or count from JavaScript: an integer in [0, `max`].
pub fn index(name: &str, value: f64, max: usize) -> Result<usize> {
    if value >= 0.0 && value <= max as f64 && value.fract() == 0.0 {
        return Ok(value as usize);
    }
    Err(Error::new(Status::InvalidArg, format!("{name} is {value}, wanted an integer in [0, {max}]")))
}

impl<T: Element> FromNapiValue for Column<'_, T> {
    unsafe fn from_napi_value(env: sys::napi_env, value: sys::napi_value) -> Result<Self> {
        let mut array_type = 0;
        let mut length = 0;
        let mut data = ptr::null_mut();
        // SAFETY: env and value are those of the running call, and the pointers are to live locals; unasked answers may be null.
        let status = unsafe {
            sys::napi_get_typedarray_info(
                env,
                value,
                &mut array_type,
                &mut length,
                &mut data,
                ptr::null_mut(),
                ptr::null_mut(),
            )
        };
        check_status!(status, "wanted a {}", T::ARRAY_NAME)?;
        if array_type != T::ARRAY_TYPE {
            return Err(Error::new(Status::InvalidArg, format!("wanted a {}", T::ARRAY_NAME)));
        }
        Ok(Column { data: data.cast(), length: if data.is_null() { 0 } else { length }, call: PhantomData })
    }
}

impl<T: Element> TypeName for Column<'_, T> {
    fn type_name() -> &'static str {
        T::ARRAY_NAME
    }

    fn value_type() -> ValueType {
        ValueType::Object
    }
}

impl<T: Element> ValidateNapiValue for Column<'_, T> {}
