// What a page without a kernel says itself.

export const words = {
  en: {
    address: {
      unknown:
        "The link asks for something that this page does not have, or it was made for another page: " +
        "nothing of it was set.",
      long: "The link of this page does not hold all that is set now: it would be too long.",
    },
    cannotOpen: "This browser cannot open the page:",
  },
};
