"""A few hundred tokens of ordinary text, for when none is given."""

ENGLISH = [
    "The harbor was quiet in the early morning, and only two fishermen were mending their nets beside the old stone pier.",
    "To make the soup, chop three onions and a leek, fry them slowly in butter, then add a liter of stock and some thyme.",
    "In 1908 the town had 4,120 people, one railway station and three schools; a century later it had ten times as many.",
    "def mean(values):\n    total = 0.0\n    for value in values:\n        total += value\n    return total / len(values)\n",
    '"Are you coming tomorrow?" she asked. "If the train is on time," he said, "and if my sister can look after the dog."',
    "Water expands when it freezes, which is why ice floats, and why a full bottle left outside on a winter night may crack.",
    "The committee met on Tuesday to discuss the budget. It decided to put off the new library and to repair the roof first.",
    "My grandmother kept bees behind the house. Every August we helped her to fill the jars, and every year somebody got stung.",
    "Dear Sir or Madam, I am writing about the chair that I ordered on 3 May. It arrived yesterday with one leg broken.",
    "The proof goes by contradiction: suppose that there were a largest prime, multiply all primes up to it, and add one.",
    "Madrid is the capital of Spain, Rome is the capital of Italy, and Tokyo, far larger than both, is the capital of Japan.",
    "<ul>\n  <li>Wash your hands.</li>\n  <li>Open the box.</li>\n  <li>Read the instructions before you begin.</li>\n</ul>",
    "Late in the second half the goalkeeper left her line, lost the ball, and watched it roll into the empty net behind her.",
    "He had never liked the sea. It was too wide, too loud and too cold, and it had taken both of his brothers from him.",
    "Light from the nearest star takes more than four years to reach us; light from the moon takes little more than a second.",
    "If interest rates rise, borrowing becomes more expensive, people spend less, and prices, in time, go up more slowly.",
]
